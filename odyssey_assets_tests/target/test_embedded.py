"""The embedded server: started once, found again, and brought back after whatever may have happened to it."""

import multiprocessing
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from odyssey_assets.errors import ConfigurationError, UnreachableError
from odyssey_assets.target.account import server_account
from odyssey_assets.target.binaries import wheel_bin_dir
from odyssey_assets.target.cluster import LOG_LIMIT_BYTES, Answer, Cluster, ask, create_cluster
from odyssey_assets.target.embedded import EmbeddedServer, ensure_database, ensure_running, free_port, status, stop
from odyssey_assets_tests.conftest import FAST_SETTINGS

IS_ROOT = os.geteuid() == 0
NOBODY = 65534
# Newer Pythons warn of forks beside threads; nothing here waits for a lock that another thread may hold.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


def value_of(uri: str, statement: str) -> object:
    with closing(psycopg2.connect(uri)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None


def mark(server: EmbeddedServer) -> None:
    value_of(server.uri_of("postgres"), "CREATE TABLE kept AS SELECT 42 AS value")


def has_mark(server: EmbeddedServer) -> bool:
    return value_of(server.uri_of("postgres"), "SELECT value FROM kept") == 42


def postmaster_pid(server: EmbeddedServer) -> int:
    return int((server.data_dir / "postmaster.pid").read_text().split()[0])


@contextmanager
def processes(count: int, action: Callable[[], object]) -> Iterator[list[multiprocessing.process.BaseProcess]]:
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=action) for _ in range(count)]
    for process in started:
        process.start()
    try:
        yield started
    finally:
        for process in started:
            process.join(60)
            process.close()


def test_it_is_started_once_and_found_again(state_dir: Path) -> None:
    assert status(state_dir) is None
    assert not state_dir.exists()
    server = ensure_running(state_dir, FAST_SETTINGS)
    pid = postmaster_pid(server)
    assert ensure_running(state_dir, FAST_SETTINGS) == server
    assert status(state_dir) == server
    assert postmaster_pid(server) == pid


def test_data_port_and_password_survive_a_stop(state_dir: Path) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS)
    mark(server)
    assert stop(state_dir) is True
    assert stop(state_dir) is False
    assert status(state_dir) is None
    assert ensure_running(state_dir, FAST_SETTINGS) == server
    assert has_mark(server)


def test_only_this_machine_and_the_password_get_in(state_dir: Path) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS)
    uri = server.uri_of("postgres")
    assert value_of(uri, "SHOW listen_addresses") == "127.0.0.1"
    assert value_of(uri, "SHOW unix_socket_directories") == ""
    assert value_of(uri, "SHOW server_encoding") == "UTF8"
    assert value_of(uri, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(uri.replace(server.password, "wrong"))
    assert (state_dir / "postgres.password").stat().st_mode & 0o777 == 0o600
    assert server.data_dir.stat().st_mode & 0o777 == 0o700
    assert server.password not in repr(server)


def test_production_settings_are_durable(state_dir: Path) -> None:
    uri = ensure_running(state_dir).uri_of("postgres")
    assert value_of(uri, "SHOW fsync") == "on"
    assert value_of(uri, "SHOW max_connections") == "200"
    assert value_of(uri, "SHOW shared_preload_libraries") == "pg_stat_statements"


def test_it_comes_back_after_its_processes_were_killed(state_dir: Path) -> None:
    server = ensure_running(state_dir, {"fsync": "off"})
    mark(server)
    with closing(psycopg2.connect(server.uri_of("postgres"))) as busy:
        busy.cursor().execute("SELECT 1")
        os.kill(postmaster_pid(server), signal.SIGKILL)
        again = ensure_running(state_dir, {"fsync": "off"})
    assert again == server
    assert has_mark(again)


def test_it_moves_where_another_server_has_its_port_and_stays_there(state_dir: Path, server: EmbeddedServer) -> None:
    mark(ensure_running(state_dir, FAST_SETTINGS))
    stop(state_dir)
    (state_dir / "postgres.port").write_text(f"{server.port}\n")
    assert status(state_dir) is None
    moved = ensure_running(state_dir, FAST_SETTINGS)
    assert moved.port != server.port
    assert has_mark(moved)
    stop(state_dir)
    assert ensure_running(state_dir, FAST_SETTINGS) == moved


def test_a_port_that_something_else_listens_on_is_passed_over() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert free_port(taken) != taken
    assert free_port(taken) == taken


def test_a_copy_of_the_state_folder_gets_a_server_of_its_own(state_dir: Path) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS)
    stop(state_dir)
    copy = state_dir.with_name("copy")
    shutil.copytree(state_dir, copy)
    for path in (copy / "postgres", *(copy / "postgres").rglob("*")):
        shutil.chown(path, server.data_dir.stat().st_uid)
    ensure_running(state_dir, FAST_SETTINGS)
    try:
        assert status(copy) is None
        other = ensure_running(copy, FAST_SETTINGS)
        assert other.data_dir == copy / "postgres"
        assert other.port != server.port
        assert status(state_dir) == server
    finally:
        stop(copy)


def test_four_processes_at_once_make_one_server(state_dir: Path) -> None:
    with processes(4, lambda: ensure_running(state_dir, FAST_SETTINGS)) as started:
        for process in started:
            process.join(60)
        assert [process.exitcode for process in started] == [0, 0, 0, 0]
    server = status(state_dir)
    assert server is not None
    assert (state_dir / "postgres.log").read_text().count("ready to accept connections") == 1


def test_databases_are_made_once_whoever_asks(server: EmbeddedServer) -> None:
    name = 'one "database"/%'
    try:
        with processes(4, lambda: ensure_database(server, name)) as started:
            for process in started:
                process.join(60)
            assert [process.exitcode for process in started] == [0, 0, 0, 0]
        ensure_database(server, name)
        assert value_of(server.uri_of(name), "SELECT current_database()") == name
    finally:
        value_of(server.uri_of("postgres"), 'DROP DATABASE IF EXISTS "one ""database""/%"')


def test_it_outlives_the_whole_process_group_that_started_it(state_dir: Path) -> None:
    def start_and_die() -> None:
        os.setsid()
        ensure_running(state_dir, FAST_SETTINGS)
        os.killpg(0, signal.SIGKILL)

    with processes(1, start_and_die) as (process,):
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    server = status(state_dir)
    assert server is not None
    descriptors = Path(f"/proc/{postmaster_pid(server)}/fd")
    assert {str((descriptors / str(number)).readlink()) for number in (0, 1, 2)} == {
        "/dev/null",
        str(state_dir / "postgres.log"),
    }


@pytest.mark.parametrize("delay_seconds", [0.05, 0.3])
def test_a_first_start_killed_half_way_is_taken_up_again(state_dir: Path, delay_seconds: float) -> None:
    with processes(1, lambda: ensure_running(state_dir, FAST_SETTINGS)) as (process,):
        time.sleep(delay_seconds)
        process.kill()
    mark(ensure_running(state_dir, FAST_SETTINGS))
    stop(state_dir)
    assert has_mark(ensure_running(state_dir, FAST_SETTINGS))
    assert unfinished(state_dir) == []


def test_what_a_killed_first_start_left_is_removed_by_the_next_start(state_dir: Path) -> None:
    """Its tools may outlive it, and write on while the next one cleans up."""
    ensure_running(state_dir, FAST_SETTINGS)
    data_dir = ensure_running(state_dir).data_dir
    (data_dir.parent / f"{data_dir.name}.new-abc").mkdir()
    (data_dir.parent / f"{data_dir.name}.new-abc" / "password").write_text("secret")
    ensure_running(state_dir)
    assert unfinished(data_dir.parent) == []


def unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if ".new-" in path.name]


def test_a_folder_with_something_else_in_it_is_left_alone(state_dir: Path) -> None:
    (state_dir / "postgres").mkdir(parents=True)
    (state_dir / "postgres" / "precious").write_text("mine")
    if IS_ROOT:
        os.chown(state_dir / "postgres", NOBODY, NOBODY)
    with pytest.raises(UnreachableError, match="not a complete PostgreSQL data folder"):
        ensure_running(state_dir, FAST_SETTINGS)
    assert (state_dir / "postgres" / "precious").read_text() == "mine"
    shutil.rmtree(state_dir)


@pytest.mark.parametrize("is_running", [True, False])
def test_a_lost_password_is_replaced_and_the_data_kept(state_dir: Path, is_running: bool) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS)
    mark(server)
    if not is_running:
        stop(state_dir)
    (state_dir / "postgres.password").unlink()
    again = ensure_running(state_dir, FAST_SETTINGS)
    assert again.password != server.password
    assert has_mark(again)


def test_a_start_that_fails_shows_the_end_of_the_log_and_its_place(state_dir: Path) -> None:
    with pytest.raises(UnreachableError, match="invalid value for parameter") as failed:
        ensure_running(state_dir, {"shared_buffers": "much"})
    assert str(state_dir / "postgres.log") in str(failed.value)
    assert status(state_dir) is None


def test_data_of_another_version_is_refused_and_kept(state_dir: Path) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS)
    stop(state_dir)
    (server.data_dir / "PG_VERSION").write_text("12\n")
    with pytest.raises(UnreachableError, match=r"made by PostgreSQL 12, but \d+ is installed"):
        ensure_running(state_dir, FAST_SETTINGS)
    assert (server.data_dir / "global" / "pg_control").is_file()


def test_a_long_log_is_cut_while_the_server_writes_to_it(state_dir: Path) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS)
    log = state_dir / "postgres.log"
    with log.open("a") as file:
        file.write("an old line\n" * (LOG_LIMIT_BYTES // 10))
    ensure_running(state_dir, FAST_SETTINGS)
    assert log.stat().st_size < LOG_LIMIT_BYTES / 10
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(server.uri_of("no such database"))
    text = log.read_text()
    assert text.startswith("an old line\n")
    assert "no such database" in text
    assert "\0" not in text


def test_the_users_own_postgresql_variables_do_not_reach_it(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGSSLMODE": "require", "PGOPTIONS": "-c nonsense=1", "PGPORT": "1", "PGDATA": "/"}.items():
        monkeypatch.setenv(name, value)
    server = ensure_running(state_dir, FAST_SETTINGS)
    ensure_database(server, "mine")
    assert status(state_dir) == server


def test_a_path_no_shell_can_take_is_refused_before_anything_is_made(state_dir: Path) -> None:
    with pytest.raises(ConfigurationError, match="dollar sign"):
        ensure_running(state_dir / "$HOME", FAST_SETTINGS)
    assert not state_dir.exists()


def test_a_path_with_spaces_and_other_alphabets_works(state_dir: Path) -> None:
    server = ensure_running(state_dir / "it's Анна's", FAST_SETTINGS)
    try:
        assert status(state_dir / "it's Анна's") == server
    finally:
        stop(state_dir / "it's Анна's")


def test_each_installed_postgresql_runs_by_the_same_code(every_server: EmbeddedServer, every_database_uri: str) -> None:
    major = (every_server.data_dir / "PG_VERSION").read_text().strip()
    assert value_of(every_database_uri, "SELECT current_setting('server_version_num')::int / 10000") == int(major)
    cluster = Cluster(every_server.bin_dir, every_server.data_dir, every_server.data_dir.with_name("log"), None)
    assert ask(cluster, every_server.port, every_server.password) is Answer.OURS
    assert ask(cluster, every_server.port, "wrong") is Answer.WRONG_PASSWORD
    assert ask(cluster, 1, every_server.password) is Answer.NOTHING


def test_a_system_without_the_locale_gets_plain_c(state_dir: Path) -> None:
    state_dir.mkdir()
    data_dir = state_dir / "postgres"
    cluster = Cluster(wheel_bin_dir(), data_dir, state_dir / "postgres.log", server_account(data_dir))
    (state_dir / "postgres.password").write_text("known")
    create_cluster(cluster, "known", is_durable=False, locales=("xx_XX.none", "C"))
    uri = ensure_running(state_dir, FAST_SETTINGS).uri_of("postgres")
    assert value_of(uri, "SELECT datcollate FROM pg_database WHERE datname = current_database()") == "C"
    assert value_of(uri, "SHOW server_encoding") == "UTF8"
