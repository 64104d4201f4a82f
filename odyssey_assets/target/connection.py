"""One ADBC connection to PostgreSQL, and the driver's errors in this project's words.

Belongs here: the transaction, running one statement, translating errors. Does not belong here: what the statements
say, or how the login comes about (``opening``).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_manager._reader import AdbcRecordBatchReader
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import (
    ConfigurationError,
    IntegrityError,
    OdysseyError,
    RefusedError,
    UnreachableError,
)
from odyssey_assets.target.opening import open_connection
from odyssey_assets.target.url import TargetUrl, redact

OLDEST_SERVER = 140000
"""PostgreSQL 14: ``hash_record_extended`` and everything else in use is there."""

LOCK_TIMEOUT_SECONDS = 30
"""How long to wait for a lock another session holds, before giving up with nothing changed."""

DRIVER_PREFIX = "IO: [libpq] Failed to connect:"
"""Of errors before there was a connection."""

_FULL = re.compile("too many (clients|connections)|remaining connection slots|no more connections allowed")
"""A server, a database, a role or a pooler whose limit is reached; of a failed login there is no SQLSTATE."""

_LOST = ("08", "57", "")
"""Classes of SQLSTATE of a connection that broke; mostly there is none."""


@contextmanager
def connect(url: TargetUrl, *, read_only: bool = False) -> Iterator[Connection]:
    """A connection in one open REPEATABLE READ transaction; what was not committed is rolled back at the end.

    Raises UnreachableError when the server cannot be reached or turns us away, ConfigurationError when it is too old.
    """
    with translated(url):
        connection = open_connection(url)
        try:
            server = _require_version(connection, url)
            connection.rollback()
            mode = "READ ONLY" if read_only else "READ WRITE"
            execute(connection, f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, {mode}")
            execute(connection, f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
            if server["synchronous_commit"] == "off":
                # A run told as done must outlive a crash of the server.
                execute(connection, "SET LOCAL synchronous_commit = on")
            yield connection
            _take_leave(connection)
        finally:
            connection.close()


def _take_leave(connection: Connection) -> None:
    """End the transaction that the driver began after the last one; PgBouncer would throw a session away with it.

    Only where all went well: after an error in the middle of a stream, this would read the rest of it.
    """
    with suppress(adbc_driver_manager.Error):
        connection.rollback()
        connection.adbc_connection.set_autocommit(True)


def execute(connection: Connection, sql: str) -> None:
    """Run one statement that returns nothing."""
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(sql)


def query(connection: Connection, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
    """All rows of a small result."""
    with connection.cursor() as cursor:
        cursor.execute(sql, tuple(parameters) or None)
        rows: list[dict[str, object]] = cursor.fetch_arrow_table().to_pylist()
    return rows


def stream(connection: Connection, sql: str) -> Iterator[pa.RecordBatch]:
    """The rows of a large result, as the driver makes them into batches."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        # The cursor's own reader is pyarrow's, which turns the server's errors into OSError without SQLSTATE.
        handle = cursor.fetch_arrow()
        with closing(AdbcRecordBatchReader._import_from_c(handle.address)) as reader:
            yield from reader


def commit(connection: Connection) -> None:
    """Commit. Raises UnreachableError where the connection is lost meanwhile: then nobody here knows whether it did."""
    try:
        connection.commit()
    except adbc_driver_manager.Error as error:
        if (error.sqlstate or "")[:2] not in _LOST:
            raise
        raise UnreachableError(
            "The connection to PostgreSQL was lost during the commit, so either all of it was done or nothing.",
            hint="Run again: it finds out which, and does what is left.",
        ) from error


@contextmanager
def translated(url: TargetUrl) -> Iterator[None]:
    """Turn the driver's errors into ours, without the password."""
    try:
        yield
    except adbc_driver_manager.Error as error:
        raise _translation(error, url) from error


def server_version(connection: Connection) -> int:
    """The server's version as a number, 180006 for 18.6."""
    (row,) = query(connection, "SELECT current_setting('server_version_num')::int AS number")
    return int(str(row["number"]))


def _require_version(connection: Connection, url: TargetUrl) -> dict[str, object]:
    """What the server says of itself; asked before the transaction, whose snapshot its first query would fix."""
    (row,) = query(connection, _SERVER_SQL)
    if int(str(row["number"])) < OLDEST_SERVER:
        raise ConfigurationError(
            f"The server at {url.redacted} is PostgreSQL {row['name']}, which is too old.",
            hint="Use PostgreSQL 14 or newer.",
        )
    return row


def _translation(error: adbc_driver_manager.Error, url: TargetUrl) -> OdysseyError:
    said = _first_line(redact(str(error), url))
    state = error.sqlstate or _state_of_failed_login(said)
    match state[:2], state:
        case ("28", _):
            return UnreachableError(
                f"PostgreSQL at {url.redacted} turned the login away: {said}.", hint="Check user and password."
            )
        case (_, "3D000"):
            return UnreachableError(
                f"The database does not exist: {url.redacted}.", hint="Create it, or correct the end of the URL."
            )
        case (_, "42501"):
            return ConfigurationError(
                f"The PostgreSQL role lacks a right: {said}.",
                hint="Let it own the tables and grant it CREATE on the schema and on the database.",
            )
        case (_, "23503"):
            return IntegrityError(
                f"PostgreSQL refused a row whose parent row is missing: {said}.",
                hint="Carry the parent table too, or mend the row in SQLite; nothing was changed.",
            )
        case ("23", _):
            return IntegrityError(f"PostgreSQL refused a row: {said}.")
        case (_, "55P03"):
            return RefusedError(
                f"Another session holds a lock that is needed: {said}.",
                hint="See who holds it in pg_locks and pg_stat_activity, then run again; nothing was changed.",
            )
        case (_, "40001" | "40P01"):
            return RefusedError(
                f"Another session changed the same rows at the same time: {said}.",
                hint="Run again; nothing was changed.",
            )
        case (_, "54000"):
            return IntegrityError(
                f"A row is larger than PostgreSQL or one of its indexes takes: {said}.",
                hint="Shorten its text. Where it is too long for a tsvector, odyssey optimise --drop takes the index "
                "off, but a search still fails at that row. Nothing was changed.",
            )
        case (_, "57014"):
            return RefusedError(f"The work was cancelled: {said}.", hint="Run again; nothing was changed.")
        case (_, "53100"):
            return UnreachableError("PostgreSQL has no room left on its disk.", hint="Free space there and run again.")
        case ("08" | "57" | "", _) if DRIVER_PREFIX not in str(error):
            return UnreachableError(
                f"The connection to PostgreSQL at {url.redacted} was lost: {said}.",
                hint="Nothing was changed; run again, or let the schedule do it.",
            )
        case _ if state == "53300" or _FULL.search(said):
            return UnreachableError(
                f"PostgreSQL at {url.redacted} has no connection free: {said}.",
                hint="End idle sessions, or raise max_connections; odyssey watch shows how many are taken.",
            )
        case ("08" | "57" | "", _):
            return UnreachableError(
                f"PostgreSQL at {url.redacted} cannot be reached: {said}.",
                hint="Check that it runs, and host, port and database in --postgres or POSTGRES_URL.",
            )
        case _:
            return IntegrityError(f"PostgreSQL refused ({state}): {said}.")


def _state_of_failed_login(said: str) -> str:
    """The driver gives no SQLSTATE for a connection that never came to be; the server's sentence tells."""
    if said.startswith("database ") and said.endswith("does not exist"):
        return "3D000"
    if "authentication failed" in said or "no password supplied" in said or "pg_hba.conf" in said:
        return "28P01"
    return ""


def _first_line(text: str) -> str:
    """The server's own sentence, without the driver's prefix, the query and the SQLSTATE."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        for mark in ("ERROR:", "FATAL:"):
            if mark in line:
                return line.split(mark, 1)[1].split(". SQLSTATE")[0].strip().rstrip(".")
    first = lines[0] if lines else "no reason given"
    return first.removeprefix(DRIVER_PREFIX).split(". SQLSTATE")[0].strip().rstrip(".")


_SERVER_SQL = """
SELECT current_setting('server_version_num')::int AS number,
       current_setting('server_version') AS name,
       current_setting('synchronous_commit') AS synchronous_commit
"""
