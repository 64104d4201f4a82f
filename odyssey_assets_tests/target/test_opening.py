"""Opening a connection: patience where it helps and none where it does not, and encryption that is never given up."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from tenacity import wait_fixed

from odyssey_assets.errors import ConfigurationError, IntegrityError, OdysseyError, UnreachableError
from odyssey_assets.target import opening
from odyssey_assets.target.connection import commit, connect, execute, query
from odyssey_assets.target.embedded import EmbeddedServer, ensure_running, stop
from odyssey_assets.target.opening import APPLICATION_NAME, TRIES
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import FAST_SETTINGS, SUPPORTED, open_folder
from odyssey_assets_tests.end_to_end.faults import CuttingProxy, cutting_proxy
from odyssey_assets_tests.statements import ask_postgres, run_postgres
from odyssey_assets_tests.target.certificates import OPENSSL, make_authority, make_certificate, server_with_tls

PATIENCE_SECONDS = 120


class Attempts:
    """Every attempt to connect, as it really went; ``on_failure`` is called in between."""

    def __init__(self, connect_for_real: Callable[[str], Any]) -> None:
        self.connect_for_real = connect_for_real
        self.failures: list[str] = []
        self.uris: list[str] = []
        self.on_failure: Callable[[str], None] = lambda _: None

    def __call__(self, uri: str) -> Any:
        self.uris.append(uri)
        try:
            return self.connect_for_real(uri)
        except Exception as error:
            self.failures.append(str(error))
            self.on_failure(str(error))
            raise


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Attempts:
    watched = Attempts(opening.driver_connection)
    monkeypatch.setattr(opening, "driver_connection", watched)
    return watched


@pytest.fixture
def _unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries enough for any machine, so that its speed is not what is tested."""
    monkeypatch.setattr(opening, "TRIES", 10_000)
    monkeypatch.setattr(opening, "NO_TRY_AFTER_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(opening, "wait_exponential", lambda multiplier: wait_fixed(0.05))


def failed(uri: str) -> OdysseyError:
    with pytest.raises(OdysseyError) as raised, connect(parse_target_url(uri)):
        pass
    return raised.value


def who_is_there(target: TargetUrl) -> dict[str, object]:
    with connect(target, read_only=True) as connection:
        (row,) = query(
            connection,
            "SELECT application_name AS application, usename::text AS role, s.version AS tls, s.client_dn AS client "
            "FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s USING (pid) WHERE pid = pg_backend_pid()",
        )
    return row


@pytest.mark.usefixtures("_unlimited")
def test_a_server_that_starts_late_is_waited_for(state_dir: Path, attempts: Attempts) -> None:
    """Nobody listens, then the server says that it is starting, then it is there."""
    target = parse_target_url(ensure_running(state_dir, FAST_SETTINGS).uri_of("postgres"))
    data_dir = ensure_running(state_dir).data_dir
    stop(state_dir)
    # A standby asks its archive first, which is held up here; so it starts for as long as we like.
    (data_dir / "standby.signal").touch(mode=0o644)
    (data_dir / "held_up").touch(mode=0o644)
    held_up = "while test -e held_up; do sleep 0.02; done; exit 1"
    starting = threading.Thread(target=ensure_running, args=(state_dir, {**FAST_SETTINGS, "restore_command": held_up}))

    def react(said: str) -> None:
        if "Connection refused" in said and starting.ident is None:
            starting.start()
        if "the database system is starting up" in said:
            (data_dir / "held_up").unlink(missing_ok=True)

    attempts.on_failure = react
    try:
        assert who_is_there(target)["application"] == APPLICATION_NAME
    finally:
        (data_dir / "held_up").unlink(missing_ok=True)
        starting.join()
    assert any("Connection refused" in said for said in attempts.failures)
    assert any("the database system is starting up" in said for said in attempts.failures)


@pytest.mark.usefixtures("_unlimited")
def test_a_full_server_is_waited_for(target: TargetUrl, attempts: Attempts) -> None:
    role = urlsplit(target.uri).path.strip("/")
    run_postgres(target.uri, f"CREATE ROLE {role} LOGIN PASSWORD 'one' CONNECTION LIMIT 1")
    parts = urlsplit(target.uri)
    uri = parts._replace(netloc=f"{role}:one@{parts.hostname}:{parts.port}").geturl()
    try:
        other = psycopg.connect(uri)
        attempts.on_failure = lambda _: other.close()
        assert who_is_there(parse_target_url(uri))["role"] == role
        assert f'too many connections for role "{role}"' in attempts.failures[0]
    finally:
        run_postgres(target.uri, f"DROP ROLE {role}")


def test_patience_ends(attempts: Attempts) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        error = failed(f"postgresql://me@127.0.0.1:{probe.getsockname()[1]}/x")
    assert isinstance(error, UnreachableError)
    assert "Connection refused" in error.message
    assert len(attempts.failures) == TRIES


def test_a_wrong_password_and_a_missing_database_are_tried_once(every_database_uri: str, attempts: Attempts) -> None:
    parts = urlsplit(every_database_uri)
    failed(parts._replace(netloc=f"{parts.username}:wrong@{parts.hostname}:{parts.port}").geturl())
    failed(parts._replace(path="/nowhere").geturl())
    assert len(attempts.failures) == 2


def test_a_server_that_never_answers_is_given_up(attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "CONNECT_SECONDS", 2)
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failed(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/x")
    assert error.exit_status == 4
    assert "timeout expired" in error.message
    assert len(attempts.failures) == 1


@pytest.mark.parametrize(
    ("uri", "environment", "timeout"),
    [
        ("postgresql://me@h/x", "", "connect_timeout=10"),
        ("postgresql://me@h/x?sslmode=require", "", "connect_timeout=10"),
        ("postgresql://me@h/x?connect_timeout=3", "", "connect_timeout=3"),
        ("postgresql://me@h/x", "7", None),
    ],
)
def test_what_the_url_or_the_environment_says_holds(
    monkeypatch: pytest.MonkeyPatch, uri: str, environment: str, timeout: str | None
) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", environment)
    given = urlsplit(opening.with_defaults(uri)).query.split("&")
    assert [each for each in given if each.startswith("connect_timeout")] == ([timeout] if timeout else [])
    assert f"fallback_application_name={APPLICATION_NAME}" in given


def test_the_urls_own_application_name_is_kept(target: TargetUrl) -> None:
    assert who_is_there(target)["application"] == APPLICATION_NAME
    mine = parse_target_url(f"{target.uri}&application_name=mine")
    assert who_is_there(mine)["application"] == "mine"


def test_a_connection_lost_in_the_middle_is_not_tried_again(target: TargetUrl, attempts: Attempts) -> None:
    def be_thrown_out() -> None:
        with connect(target) as connection:
            (row,) = query(connection, "SELECT pg_backend_pid() AS pid")
            run_postgres(target.uri, f"SELECT pg_terminate_backend({row['pid']}, 5000)")
            query(connection, "SELECT 1 AS one")

    with pytest.raises(UnreachableError, match="was lost") as raised:
        be_thrown_out()
    assert raised.value.hint.startswith("Nothing was changed")
    assert len(attempts.uris) == 1


def test_a_connection_lost_at_the_commit_is_told_as_open(target: TargetUrl, server: EmbeddedServer) -> None:
    def be_cut_off(proxy: CuttingProxy) -> None:
        with connect(parse_target_url(target.uri.replace(f":{server.port}/", f":{proxy.port}/"))) as connection:
            execute(connection, "CREATE TABLE t (a int)")
            proxy.arm(1)
            commit(connection)

    with cutting_proxy(server.port) as proxy, pytest.raises(UnreachableError, match="during the commit") as raised:
        be_cut_off(proxy)
    assert raised.value.hint.startswith("Run again")
    assert "othing was changed" not in str(raised.value)


def test_a_commit_the_server_refuses_is_told_as_refused(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")

    def insert_twice() -> None:
        with connect(target) as connection:
            execute(connection, "INSERT INTO t VALUES (1), (1)")
            commit(connection)

    with pytest.raises(IntegrityError, match="duplicate key"):
        insert_twice()
    assert ask_postgres(target.uri, "SELECT count(*) FROM t") == [(0,)]


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def tls_server(certificates: Path) -> Iterator[EmbeddedServer]:
    """The embedded server has no OpenSSL; the system's has."""
    if not SUPPORTED:
        pytest.skip("no PostgreSQL with OpenSSL under /usr/lib/postgresql")
    if OPENSSL is None:
        pytest.skip("no openssl program to make certificates with")
    with server_with_tls(certificates, SUPPORTED[-1]) as server:
        yield server


def tls_uri(server: EmbeddedServer, host: str, parameters: str) -> str:
    return f"postgresql://odyssey:{server.password}@{host}:{server.port}/postgres?{parameters}"


@pytest.mark.parametrize(
    ("host", "parameters"),
    [
        ("localhost", "sslmode=require"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert={ours}"),
        ("localhost", "sslmode=verify-full&sslrootcert={ours}"),
        ("localhost", "sslaccept=strict&sslcert={ours}"),
    ],
)
def test_a_line_is_encrypted_as_the_url_says(
    tls_server: EmbeddedServer, certificates: Path, host: str, parameters: str
) -> None:
    uri = tls_uri(tls_server, host, parameters.format(ours=certificates / "ours.crt"))
    assert who_is_there(parse_target_url(uri))["tls"] == "TLSv1.3"


@pytest.mark.parametrize(
    ("host", "parameters", "sentence"),
    [
        ("localhost", "sslmode=verify-full&sslrootcert={other}", "is not signed by an authority that is trusted here."),
        ("localhost", "sslmode=verify-ca&sslrootcert={other}", "is not signed by an authority that is trusted here."),
        ("localhost", "sslmode=verify-full&sslrootcert=system", "is not signed by an authority that is trusted here."),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert={ours}", "and not for the host '127.0.0.1'."),
        ("localhost", "sslaccept=strict&sslcert={other}", "is not signed by an authority that is trusted here."),
    ],
)
def test_a_server_that_is_not_the_one_meant_is_refused(
    tls_server: EmbeddedServer, certificates: Path, attempts: Attempts, host: str, parameters: str, sentence: str
) -> None:
    if not (other := certificates / "other.crt").exists():
        make_authority(certificates, "other")
    error = failed(tls_uri(tls_server, host, parameters.format(ours=certificates / "ours.crt", other=other)))
    assert (type(error), error.exit_status) == (UnreachableError, 4)
    assert sentence in error.message
    assert tls_server.password not in str(error)
    assert len(attempts.failures) == 1


def test_a_client_can_be_known_by_its_certificate(tls_server: EmbeddedServer, certificates: Path) -> None:
    certificate, key = make_certificate(certificates, "ours", "client", "certified")
    rules = tls_server.data_dir / "pg_hba.conf"
    before = rules.read_text()
    try:
        rules.write_text(f"hostssl all certified all cert\n{before}")
        run_postgres(tls_server.uri_of("postgres"), "CREATE ROLE certified LOGIN; SELECT pg_reload_conf()")
        uri = (
            f"postgresql://certified@localhost:{tls_server.port}/postgres?sslmode=verify-full"
            f"&sslrootcert={certificates / 'ours.crt'}&sslcert={certificate}&sslkey={key}"
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "certified" not in str(ask_postgres(tls_server.uri_of("postgres"), "TABLE pg_hba_file_rules")):
            assert time.monotonic() < deadline
        there = who_is_there(parse_target_url(uri))
        assert (there["role"], there["client"]) == ("certified", "/CN=certified")
        error = failed(uri.split("&sslcert")[0])
        assert error.exit_status == 4
        assert "certificate" in error.message
    finally:
        rules.write_text(before)
        run_postgres(tls_server.uri_of("postgres"), "DROP ROLE IF EXISTS certified; SELECT pg_reload_conf()")


def test_a_server_without_encryption_is_not_used_where_it_was_asked_for(server: EmbeddedServer) -> None:
    error = failed(tls_uri(server, "127.0.0.1", "sslmode=require"))
    assert (type(error), error.exit_status) == (UnreachableError, 4)
    assert "does not offer encryption" in error.message


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ("sslmode=verify-full&sslrootcert=/no/such/file", "There is no file /no/such/file with the authorities"),
        ("sslmode=trust-me", "The PostgreSQL URL has an sslmode that there is not: trust-me."),
    ],
)
def test_a_mistake_in_the_url_is_a_matter_of_configuration(
    tls_server: EmbeddedServer, parameters: str, sentence: str
) -> None:
    error = failed(tls_uri(tls_server, "localhost", parameters))
    assert (type(error), error.exit_status) == (ConfigurationError, 2)
    assert sentence in error.message
