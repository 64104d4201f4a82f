"""One ADBC connection to PostgreSQL in one open transaction.

Belongs here: the transaction, and running one statement in it. Does not belong here: what the statements say, how the
login comes about (``opening``), or the words for what goes wrong (``server_errors``).
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_manager._reader import AdbcRecordBatchReader
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import ConfigurationError, UnreachableError
from odyssey_assets.target.opening import open_connection
from odyssey_assets.target.server_errors import LOST, translation
from odyssey_assets.target.url import TargetUrl

OLDEST_SERVER = 140000
"""PostgreSQL 14: ``hash_record_extended`` and everything else in use is there."""

LOCK_TIMEOUT_SECONDS = 30
"""How long to wait for a lock another session holds, before giving up with nothing changed."""


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
        if (error.sqlstate or "")[:2] not in LOST:
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
        raise translation(error, url) from error


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


_SERVER_SQL = """
SELECT current_setting('server_version_num')::int AS number,
       current_setting('server_version') AS name,
       current_setting('synchronous_commit') AS synchronous_commit
"""
