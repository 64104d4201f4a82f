"""Keeping writers out of PostgreSQL's tables while they are read.

Belongs here: taking the locks, and naming who stands in the way. Does not belong here: what is read under them
(``carry_back``), or looking at locks without taking any (``server_state``).
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import adbc_driver_manager
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import ConfigurationError, RefusedError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import PRISMA_BOOKKEEPING
from odyssey_assets.target.catalog import TargetCatalog, read_catalog
from odyssey_assets.target.connection import connect, execute, query
from odyssey_assets.target.server_state import read_table_states
from odyssey_assets.target.url import TargetUrl

_IN_THE_WAY = ("55P03", "40P01")
"""Lock not available, deadlock detected."""
_TRY_MILLISECONDS = 500
"""Below the server's ``deadlock_timeout``, a second by default, so that it is this that gives way and not a writer."""
_SESSIONS_TOLD = 5


@dataclass(frozen=True)
class LockedTarget:
    """An open transaction in which every table of the catalog may be read and by nobody else be written."""

    connection: Connection
    catalog: TargetCatalog


@contextmanager
def writers_kept_out(url: TargetUrl, *, left_out: frozenset[str], lock_timeout_seconds: int) -> Iterator[LockedTarget]:
    """Hold every table of the schema but ``left_out`` in SHARE mode until the block ends; nothing is committed by it.

    The locks come before the transaction's first look at the data, so that what it sees is what is there: a writer
    that was at it is waited for and seen, later ones wait. Raises RefusedError, naming the sessions in the way, where
    they do not finish in time, and where row-level security hides rows from this role.
    """
    with connect(url, read_only=True) as connection:
        names = _table_names(read_catalog(connection, url.schema), left_out)
    if not names:
        raise ConfigurationError(
            f"The PostgreSQL schema {url.schema} has no tables.", hint="Check --postgres or POSTGRES_URL."
        )
    with ExitStack() as stack:
        connection = _locked(stack, url, names, lock_timeout_seconds)
        catalog = read_catalog(connection, url.schema)
        if _table_names(catalog, left_out) != names:
            raise RefusedError(
                "Tables were made or dropped in PostgreSQL in this very moment.",
                hint="Wait for the migration to end, then run again; nothing was changed.",
            )
        _refuse_hidden_rows(connection, url.schema, names)
        yield LockedTarget(connection, catalog)


def _table_names(catalog: TargetCatalog, left_out: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(catalog.tables.keys() - left_out - {PRISMA_BOOKKEEPING}))


def _locked(stack: ExitStack, url: TargetUrl, names: tuple[str, ...], lock_timeout_seconds: int) -> Connection:
    """A connection with all locks, which lets go of those it has whenever the next does not come at once.

    A writer that needs one of them to finish would otherwise be ended as a deadlock, or end this.
    """
    deadline = time.monotonic() + lock_timeout_seconds
    while True:
        with ExitStack() as attempt:
            connection = attempt.enter_context(connect(url))
            if _lock(connection, url.schema, names):
                execute(connection, f"SET LOCAL lock_timeout = '{lock_timeout_seconds}s'")
                stack.enter_context(attempt.pop_all())
                return connection
            connection.rollback()
            if time.monotonic() >= deadline:
                raise RefusedError(
                    f"Writers are still at work in PostgreSQL and did not finish within {lock_timeout_seconds} s: "
                    f"{_told(connection, url.schema)}.",
                    hint="Stop the application, or end these sessions with pg_terminate_backend(pid), then run again; "
                    "nothing was changed.",
                )


def _lock(connection: Connection, schema: str, names: tuple[str, ...]) -> bool:
    """Whether the locks came; after False the transaction is of no more use."""
    tables = ", ".join(f"{quoted(schema)}.{quoted(name)}" for name in names)
    # Files are copied and checked meanwhile; a server that ended an idle transaction would let writers in.
    execute(connection, "SET LOCAL idle_in_transaction_session_timeout = 0")
    execute(connection, f"SET LOCAL lock_timeout = {_TRY_MILLISECONDS}")
    try:
        execute(connection, f"LOCK TABLE {tables} IN SHARE MODE")
    except adbc_driver_manager.Error as error:
        if error.sqlstate in _IN_THE_WAY:
            return False
        raise
    return True


def _told(connection: Connection, schema: str) -> str:
    found = [str(row["told"]) for row in query(connection, _IN_THE_WAY_SQL, [schema])]
    more = f" and {len(found) - _SESSIONS_TOLD} more" if len(found) > _SESSIONS_TOLD else ""
    return "; ".join(found[:_SESSIONS_TOLD]) + more or "they have just finished"


def _refuse_hidden_rows(connection: Connection, schema: str, names: tuple[str, ...]) -> None:
    hidden = [state.name for state in read_table_states(connection, schema, names) if state.hides_rows]
    if hidden:
        raise RefusedError(
            f"Row-level security hides rows from this role in {', '.join(hidden)}.",
            hint="Use the role that owns the tables, or one with BYPASSRLS; nothing was changed.",
            table=hidden[0],
        )


_IN_THE_WAY_SQL = """
SELECT CASE WHEN l.pid IS NULL THEN 'a prepared transaction'
            ELSE format('pid %s (%s, user %s)', l.pid,
                        coalesce(nullif(a.application_name, ''), 'no application name'),
                        coalesce(a.usename::text, 'not visible to this role')) END
       || ' holds ' || string_agg(DISTINCT c.relname::text, ', ' ORDER BY c.relname::text) AS told
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid() AND n.nspname = $1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                 'AccessExclusiveLock')
GROUP BY l.pid, a.application_name, a.usename
ORDER BY l.pid
"""
"""Holders of locks that SHARE waits for."""
