"""Writers are waited for and seen, or named; row-level security is refused."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest

from odyssey_assets.errors import ConfigurationError, RefusedError
from odyssey_assets.target.connection import query
from odyssey_assets.target.table_locks import LockedTarget, writers_kept_out
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.statements import ask_postgres, run_postgres

NONE: frozenset[str] = frozenset()


@pytest.fixture
def uri(database_uri: str) -> str:
    run_postgres(database_uri, 'CREATE TABLE "A b" (x int); CREATE TABLE "_prisma_migrations" (x int)')
    return database_uri


@contextmanager
def writer(uri: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(uri, application_name="the application") as connection:
        connection.execute('INSERT INTO "A b" VALUES (1)')
        yield connection
        connection.rollback()


def kept_out(uri: str) -> AbstractContextManager[LockedTarget]:
    return writers_kept_out(parse_target_url(uri), left_out=NONE, lock_timeout_seconds=1)


def test_a_writer_in_the_way_is_named(uri: str) -> None:
    with writer(uri) as connection:
        told = f"pid {connection.info.backend_pid} (the application, user {connection.info.user}) holds A b"
        with pytest.raises(RefusedError) as refusal, kept_out(uri):
            pass
    assert told in refusal.value.message


def test_a_writer_that_finishes_in_time_is_seen(uri: str) -> None:
    with writer(uri) as connection:
        threading.Timer(0.3, connection.commit).start()
        with writers_kept_out(parse_target_url(uri), left_out=NONE, lock_timeout_seconds=30) as locked:
            assert query(locked.connection, 'SELECT x FROM "A b"') == [{"x": 1}]
            assert set(locked.catalog.tables) == {"A b", "_prisma_migrations"}


def test_a_writer_that_needs_a_lock_of_ours_to_finish_gets_it(uri: str) -> None:
    """It writes to the last table first, and this locks the first one first: a deadlock, if neither gives way."""
    run_postgres(uri, "CREATE TABLE a_first (x int)")

    def finish(connection: psycopg.Connection) -> None:
        while not ask_postgres(uri, "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'z_last'::regclass"):
            pass
        connection.execute("INSERT INTO a_first VALUES (1)")
        connection.commit()

    run_postgres(uri, 'ALTER TABLE "A b" RENAME TO z_last')
    with psycopg.connect(uri) as connection:
        connection.execute("INSERT INTO z_last VALUES (1)")
        finishing = threading.Thread(target=finish, args=[connection])
        finishing.start()
        with writers_kept_out(parse_target_url(uri), left_out=NONE, lock_timeout_seconds=30) as locked:
            assert query(locked.connection, "SELECT (SELECT x FROM a_first) + (SELECT x FROM z_last) AS sum") == [
                {"sum": 2}
            ]
        finishing.join()


def test_tables_left_out_are_not_locked(uri: str) -> None:
    run_postgres(uri, "CREATE TABLE other (x int)")
    with writer(uri), writers_kept_out(parse_target_url(uri), left_out=frozenset({"A b"}), lock_timeout_seconds=1):
        pass


def test_a_schema_without_tables_is_told(database_uri: str) -> None:
    with pytest.raises(ConfigurationError), kept_out(database_uri):
        pass


def test_rows_hidden_from_the_role_are_refused(uri: str) -> None:
    role = "row_reader"
    run_postgres(
        uri,
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; "
        'ALTER TABLE "A b" ENABLE ROW LEVEL SECURITY',
    )
    try:
        as_reader = uri.replace(uri.split("//")[1].split("@")[0], f"{role}:x")
        with pytest.raises(RefusedError, match="Row-level security"), kept_out(as_reader):
            pass
    finally:
        run_postgres(uri, f"DROP OWNED BY {role}; DROP ROLE {role}")
