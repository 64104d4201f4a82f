"""Whether the target is ready to be written: settings, rights, room, privacy of the line, who else is at work there.

Belongs here: judging the server's state. Does not belong here: reading it (``target.server_state``), the shape of the
schema (``parity``), or the source (``source``).
"""

import ipaddress
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from adbc_driver_manager.dbapi import Connection
from psycopg2.extensions import parse_dsn

from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.preflight.rights import Lack, Work, lacking_rights
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import LOCK_TIMEOUT_SECONDS
from odyssey_assets.target.server_state import (
    HeldLock,
    ServerState,
    TableState,
    locks_of_others,
    read_schema_rights,
    read_server_state,
    read_table_states,
    tables_with_rows,
)
from odyssey_assets.target.url import TargetUrl

FEWEST_FREE_CONNECTIONS = 5
"""Below this a run, its retries and the application may find the server full."""

_TABLES_NAMED = 5
_EXCLUSIVE = "AccessExclusiveLock"
_CONFLICTS_WITH_WRITING = frozenset({"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", _EXCLUSIVE})


def readiness_findings(
    connection: Connection,
    url: TargetUrl,
    catalog: TargetCatalog,
    *,
    needed_bytes: int,
    data_dir: Path | None,
    will_create: bool,
    absent: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Everything in the target's state that stands in the way of a run, or that someone should know before it.

    ``absent`` are the model's tables that the source lacks. ``needed_bytes`` is what the run will write; ``data_dir``
    the server's data folder, None where it is on another machine; ``will_create`` says that the application's tables
    are still to be made.
    """
    server = read_server_state(connection)
    names = _application_tables(catalog)
    tables = read_table_states(connection, catalog.schema, names)
    locks = locks_of_others(connection, catalog.schema, names)
    looked_into = _can_be_looked_into(connection, catalog, tables, locks)
    filled = tables_with_rows(connection, catalog.schema, looked_into)
    return (
        *_encoding_findings(server),
        *_read_only_findings(server),
        *map(_lack_finding, lacking_rights(connection, catalog, names, Work.SYNC, will_create=will_create)),
        *_hidden_row_findings(server, tables),
        *_space_findings(data_dir, needed_bytes),
        *_line_findings(server, url),
        *_connection_findings(server),
        *_leftover_findings(tables, filled),
        *_left_alone_findings(filled.intersection(absent)),
        *_lock_findings(locks, has_empty_tables=filled != names),
    )


def target_facts(connection: Connection, url: TargetUrl, catalog: TargetCatalog) -> dict[str, object]:
    """What the target is, for the report. ``rows_about`` is the planner's estimate, ``size_bytes`` the database's."""
    server = read_server_state(connection)
    names = _application_tables(catalog)
    estimates = [each.rows_about for each in read_table_states(connection, catalog.schema, names)]
    known = [rows for rows in estimates if rows is not None]
    return {
        "url": url.redacted,
        "server_version": server.version,
        "database": server.database,
        "schema": catalog.schema,
        "role": server.role,
        "encoding": server.encoding,
        "collation": server.collation,
        "tls": server.tls_version is not None,
        "tls_version": server.tls_version,
        "tables": sorted(names),
        "rows_about": sum(known) if known else None,
        "size_bytes": server.size_bytes,
    }


def _application_tables(catalog: TargetCatalog) -> frozenset[str]:
    return frozenset(table.name for table in tables_in_order() if table.name in catalog.tables)


def _can_be_looked_into(
    connection: Connection, catalog: TargetCatalog, tables: tuple[TableState, ...], locks: tuple[HeldLock, ...]
) -> frozenset[str]:
    """Looking into a locked table would wait for the lock, looking into a forbidden one ends the transaction."""
    rights = read_schema_rights(connection, catalog.schema)
    if rights is None or not rights.may_use:
        return frozenset()
    locked = {lock.table for lock in locks if _EXCLUSIVE in lock.modes}
    return frozenset(each.name for each in tables if "SELECT" not in each.missing_rights) - locked


def _encoding_findings(server: ServerState) -> Iterator[Finding]:
    if server.encoding != "UTF8":
        yield _error(
            "wrong_encoding",
            f"the database {server.database} is encoded in {server.encoding}, which does not hold every text; create "
            "it anew with ENCODING 'UTF8' TEMPLATE template0",
        )


def _read_only_findings(server: ServerState) -> Iterator[Finding]:
    if server.is_in_recovery:
        yield _error("in_recovery", "the server is a standby or in recovery and takes no writes; name the primary")
    if server.is_read_only_by_default:
        yield _error(
            "read_only",
            f"default_transaction_read_only is on for {server.role} in {server.database}: somebody has closed it to "
            "writers; if it is to be written, RESET it with ALTER DATABASE or ALTER ROLE",
        )


def _lack_finding(lack: Lack) -> Finding:
    return _error("missing_right", f"the PostgreSQL role {lack.words}; {lack.remedy}", lack.count)


def _hidden_row_findings(server: ServerState, tables: tuple[TableState, ...]) -> Iterator[Finding]:
    hiding = [each.name for each in tables if each.hides_rows]
    if hiding:
        yield _error(
            "row_level_security",
            f"row-level security hides rows of {_named(hiding)} from the role {server.role}, so nothing could be "
            "proven equal; let it own the tables",
            count=len(hiding),
        )


def _space_findings(data_dir: Path | None, needed_bytes: int) -> Iterator[Finding]:
    if data_dir is None:
        return
    try:
        free_bytes = shutil.disk_usage(data_dir).free
    except OSError as error:
        reason = error.strerror or type(error).__name__
        detail = (
            f"how much room PostgreSQL has on its disk cannot be told ({reason}); {needed_bytes:,} bytes are needed"
        )
        yield _warning("unknown_space", detail)
        return
    if free_bytes < needed_bytes:
        yield _error(
            "no_space",
            f"PostgreSQL's disk has {free_bytes:,} bytes free and the run needs about {needed_bytes:,}",
        )


def _line_findings(server: ServerState, url: TargetUrl) -> Iterator[Finding]:
    given = parse_dsn(url.uri)
    hosts = str(given.get("hostaddr") or given.get("host") or server.address or "").split(",")
    if server.tls_version is None and not all(_is_this_machine(host) for host in hosts):
        mode = given.get("sslmode")
        asked = f"the URL's sslmode is {mode}" if mode else "the URL names no sslmode"
        yield _warning(
            "not_encrypted",
            f"the connection to {', '.join(hosts)} is not encrypted ({asked}): password and rows can be read on the "
            "way; set sslmode=require, or better sslmode=verify-full",
        )


def _is_this_machine(host: str) -> bool:
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _connection_findings(server: ServerState) -> Iterator[Finding]:
    if server.free_connections < FEWEST_FREE_CONNECTIONS:
        yield _warning(
            "few_connections",
            f"only {max(server.free_connections, 0)} of {server.max_connections} connections are free for ordinary "
            "roles; close some, or raise max_connections",
        )


def _leftover_findings(tables: tuple[TableState, ...], filled: frozenset[str]) -> Iterator[Finding]:
    if not filled:
        return
    estimates = [each.rows_about for each in tables if each.name in filled]
    known = [rows for rows in estimates if rows]
    rows = f"about {sum(known):,} rows" if known else "a number of rows not known before ANALYZE"
    yield _warning(
        "leftover_rows",
        f"{len(filled)} of {len(tables)} tables already hold rows ({_named(sorted(filled))}), {rows} together; migrate "
        "changes nothing where they differ, sync brings them in step",
        count=len(filled),
    )


def _left_alone_findings(tables: frozenset[str]) -> Iterator[Finding]:
    for name in sorted(tables):
        detail = "PostgreSQL holds rows of a table that this SQLite file does not have; no run changes or proves them"
        yield Finding(Severity.WARNING, "rows_without_source", name, detail=detail)


def _lock_findings(locks: tuple[HeldLock, ...], *, has_empty_tables: bool) -> Iterator[Finding]:
    for lock in locks:
        # Filling an empty table takes its keys off, which waits even for those who only read.
        modes = [mode for mode in lock.modes if has_empty_tables or mode in _CONFLICTS_WITH_WRITING]
        if modes:
            since = f"since {lock.since} UTC" if lock.since else "for a time that this role may not see"
            detail = (
                f"session {lock.pid} ({lock.application}) holds {', '.join(modes)} {since}; a run waits "
                f"{LOCK_TIMEOUT_SECONDS} s for it and then gives up"
            )
            yield Finding(Severity.WARNING, "held_lock", lock.table, detail=detail)


def _error(kind: str, detail: str, count: int = 1) -> Finding:
    return Finding(Severity.ERROR, kind, count=count, detail=detail)


def _warning(kind: str, detail: str, count: int = 1) -> Finding:
    return Finding(Severity.WARNING, kind, count=count, detail=detail)


def _named(tables: list[str]) -> str:
    more = f" and {len(tables) - _TABLES_NAMED} more" if len(tables) > _TABLES_NAMED else ""
    return ", ".join(tables[:_TABLES_NAMED]) + more
