"""The connection: one REPEATABLE READ transaction, and every driver error as one sentence without the password."""

import socket
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from odyssey_assets.errors import ConfigurationError, IntegrityError, OdysseyError, RefusedError, UnreachableError
from odyssey_assets.target import connection as connection_module
from odyssey_assets.target import opening
from odyssey_assets.target.connection import connect, execute, query, stream, translated
from odyssey_assets.target.embedded import ensure_running
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import FAST_SETTINGS, OLD_SERVERS
from odyssey_assets_tests.statements import ask_postgres, run_postgres

SECRET = "s3cr3t-p4ss"


def with_parts(uri: str, *, password: str | None = None, port: int | None = None, database: str | None = None) -> str:
    parts = urlsplit(uri)
    netloc = f"{parts.username}:{password or parts.password}@{parts.hostname}:{port or parts.port}"
    path = f"/{database}" if database else parts.path
    return parts._replace(netloc=netloc, path=path).geturl()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def locked(uri: str, table: str) -> Iterator[None]:
    with psycopg.connect(uri) as holder:
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def failed(uri: str) -> OdysseyError:
    with pytest.raises(OdysseyError) as raised, connect(parse_target_url(uri)):
        pass
    return raised.value


def test_nothing_stays_without_a_commit_and_everything_with_one(target: TargetUrl) -> None:
    with connect(target) as connection:
        execute(connection, "CREATE TABLE dropped (a int)")
    with connect(target) as connection:
        execute(connection, "CREATE TABLE kept (a int)")
        connection.commit()
    assert ask_postgres(target.uri, "SELECT relname FROM pg_class WHERE relname IN ('dropped', 'kept')") == [("kept",)]


def test_nothing_stays_after_an_error_in_the_block(target: TargetUrl) -> None:
    def create_and_fail() -> None:
        with connect(target) as connection:
            execute(connection, "CREATE TABLE dropped (a int)")
            raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        create_and_fail()
    assert ask_postgres(target.uri, "SELECT to_regclass('dropped')") == [(None,)]


def test_all_reads_see_one_moment(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (a int)")
    with connect(target) as connection:
        assert query(connection, "SELECT count(*) AS n FROM t") == [{"n": 0}]
        run_postgres(target.uri, "INSERT INTO t VALUES (1)")
        assert query(connection, "SELECT count(*) AS n FROM t") == [{"n": 0}]


def test_a_read_only_connection_cannot_write(target: TargetUrl) -> None:
    with (
        pytest.raises(IntegrityError, match="cannot execute CREATE TABLE in a read-only transaction"),
        connect(target, read_only=True) as connection,
    ):
        execute(connection, "CREATE TABLE t (a int)")


def test_parameters_are_values_and_not_text(target: TargetUrl) -> None:
    with connect(target) as connection:
        assert query(connection, "SELECT $1 AS a, $2 + 1 AS b", ["'; --", 41]) == [{"a": "'; --", "b": 42}]


def test_an_error_in_the_middle_of_a_stream_keeps_its_name(target: TargetUrl) -> None:
    def fail_at_first_batch() -> None:
        with connect(target) as connection:
            for _ in stream(connection, "SELECT repeat('x', 1000) AS a FROM generate_series(1, 100000)"):
                raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        fail_at_first_batch()


def test_an_error_of_the_server_in_the_middle_of_a_stream_is_translated(target: TargetUrl) -> None:
    with pytest.raises(IntegrityError, match="division by zero"), connect(target) as connection:
        list(stream(connection, "SELECT 1 / (200000 - n) AS a FROM generate_series(1, 300000) AS n"))


def test_a_server_below_the_oldest_is_refused(target: TargetUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "OLDEST_SERVER", 990000)
    error = failed(target.uri)
    assert isinstance(error, ConfigurationError)
    assert "which is too old. Use PostgreSQL 14 or newer." in str(error)
    assert error.exit_status == 2


@pytest.mark.skipif(not OLD_SERVERS, reason="no PostgreSQL older than 14 here, see ODYSSEY_TEST_SERVERS")
def test_a_real_server_older_than_14_is_refused(state_dir: Path) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS, bin_dir=OLD_SERVERS[0])
    error = failed(server.uri_of("postgres"))
    assert isinstance(error, ConfigurationError)
    assert "is PostgreSQL 1" in error.message
    assert "which is too old. Use PostgreSQL 14 or newer." in str(error)


def test_a_wrong_password_is_named_and_not_told(every_database_uri: str) -> None:
    error = failed(with_parts(every_database_uri, password=SECRET))
    assert isinstance(error, UnreachableError)
    assert "turned the login away" in str(error)
    assert error.hint == "Check user and password."
    assert SECRET not in "".join(traceback.format_exception(error))


def test_a_missing_database_is_named(every_database_uri: str) -> None:
    error = failed(with_parts(every_database_uri, database="nowhere"))
    assert isinstance(error, UnreachableError)
    assert error.message.startswith("The database does not exist: postgresql://")
    assert urlsplit(every_database_uri).password not in "".join(traceback.format_exception(error))


def test_an_unreachable_port_is_named(database_uri: str) -> None:
    port = free_port()
    error = failed(with_parts(database_uri, password=SECRET, port=port))
    assert isinstance(error, UnreachableError)
    assert "cannot be reached" in error.message
    assert f":{port}/" in error.message
    assert SECRET not in "".join(traceback.format_exception(error))


def test_an_unknown_host_is_named(database_uri: str) -> None:
    uri = f"postgresql://me:{SECRET}@no-such-host.invalid:5432/odyssey"
    error = failed(uri)
    assert isinstance(error, UnreachableError)
    assert "no-such-host.invalid" in error.message
    assert SECRET not in "".join(traceback.format_exception(error))


def test_a_missing_right_is_a_matter_of_configuration(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (a int)")
    with connect(target) as connection:
        execute(connection, "SET LOCAL ROLE pg_monitor")
        with pytest.raises(ConfigurationError, match="permission denied for table t"), translated(target):
            query(connection, "SELECT * FROM t")


def test_a_row_that_breaks_a_constraint_is_an_integrity_error(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)")
    with (
        pytest.raises(IntegrityError, match='duplicate key value violates unique constraint "t_pkey"'),
        connect(target) as connection,
    ):
        execute(connection, "INSERT INTO t VALUES (1)")


def test_a_missing_parent_row_says_what_to_do(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (a int REFERENCES p)")
    with (
        pytest.raises(IntegrityError, match=r'parent row is missing: .* constraint "c_a_fkey"') as raised,
        connect(target) as connection,
    ):
        execute(connection, "INSERT INTO c VALUES (1)")
    assert raised.value.hint.startswith("Carry the parent table too")


def test_a_lock_of_another_session_is_waited_for_and_then_named(
    target: TargetUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "LOCK_TIMEOUT_SECONDS", 0.1)
    run_postgres(target.uri, "CREATE TABLE t (a int)")
    with (
        locked(target.uri, "t"),
        pytest.raises(RefusedError, match="Another session holds a lock") as raised,
        connect(target) as connection,
    ):
        query(connection, "SELECT * FROM t")
    assert raised.value.exit_status == 3


def test_a_session_ended_by_an_administrator_is_unreachable(target: TargetUrl) -> None:
    with connect(target) as connection:
        (row,) = query(connection, "SELECT pg_backend_pid() AS pid")
        run_postgres(target.uri, f"SELECT pg_terminate_backend({row['pid']}, 5000)")
        with pytest.raises(UnreachableError, match=r"terminating connection|closed the connection"), translated(target):
            query(connection, "SELECT 1 AS one")


def test_a_password_in_the_servers_words_is_taken_out(target: TargetUrl) -> None:
    url = replace(target, secrets=(SECRET,))
    with pytest.raises(IntegrityError) as raised, connect(url) as connection:
        execute(connection, f"SELECT '{SECRET}'::int")
    assert SECRET not in str(raised.value)
    assert 'invalid input syntax for type integer: "***"' in str(raised.value)


def test_a_cancelled_statement_is_told_as_cancelled(target: TargetUrl) -> None:
    limited = replace(target, uri=f"{target.uri}&options=-c%20statement_timeout%3D50ms")
    with pytest.raises(RefusedError, match="The work was cancelled") as raised, connect(limited) as connection:
        query(connection, "SELECT 1 AS one FROM pg_sleep(20)")
    assert raised.value.exit_status == 3


def test_two_writers_of_one_row_are_told_to_run_again(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    with connect(target) as connection:
        query(connection, "SELECT * FROM t")
        run_postgres(target.uri, "UPDATE t SET a = 2")
        with pytest.raises(RefusedError, match="changed the same rows at the same time"), translated(target):
            execute(connection, "UPDATE t SET a = 3")


@pytest.mark.parametrize(("setting", "expected"), [("off", "on"), ("local", "local"), ("on", "on")])
def test_a_commit_is_durable_whatever_the_server_allows(target: TargetUrl, setting: str, expected: str) -> None:
    database = urlsplit(target.uri).path.removeprefix("/")
    run_postgres(target.uri, f"ALTER DATABASE {database} SET synchronous_commit = {setting}")
    with connect(target) as connection:
        assert query(connection, "SELECT current_setting('synchronous_commit') AS s") == [{"s": expected}]


def test_a_server_without_a_free_connection_says_so(target: TargetUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "TRIES", 1)
    role = f"lonely_{uuid.uuid4().hex[:8]}"
    run_postgres(target.uri, f"CREATE ROLE {role} LOGIN PASSWORD 'lonely' CONNECTION LIMIT 1")
    parts = urlsplit(target.uri)
    uri = parts._replace(netloc=f"{role}:lonely@{parts.hostname}:{parts.port}").geturl()
    try:
        with psycopg.connect(uri):
            error = failed(uri)
    finally:
        run_postgres(target.uri, f"DROP ROLE {role}")
    assert isinstance(error, UnreachableError)
    assert "has no connection free: too many connections for role" in error.message
    assert "max_connections" in error.hint
