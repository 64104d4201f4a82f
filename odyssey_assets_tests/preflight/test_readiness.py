"""Readiness of the target: silent on a target that is ready, one finding for each thing that is not."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from odyssey_assets.findings import Severity
from odyssey_assets.preflight.readiness import target_facts
from odyssey_assets.target.catalog import read_catalog
from odyssey_assets.target.connection import connect
from odyssey_assets.target.embedded import EmbeddedServer, ensure_running, stop
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import FAST_SETTINGS
from odyssey_assets_tests.preflight.targets import findings_of, seen
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres


def test_a_target_that_is_ready_has_no_finding(every_database_uri: str) -> None:
    run_postgres(every_database_uri, prisma_sql(5))
    assert findings_of(parse_target_url(every_database_uri), needed_bytes=1, data_dir=Path("/")) == ()


def test_an_empty_database_is_ready_to_be_filled(database_uri: str) -> None:
    assert findings_of(parse_target_url(database_uri), will_create=True) == ()
    assert findings_of(parse_target_url(database_uri), schema="app", will_create=True) == ()


def test_the_facts_tell_what_the_target_is(every_database_uri: str) -> None:
    target = parse_target_url(every_database_uri)
    run_postgres(target.uri, """CREATE TABLE "Village" (id text); CREATE TABLE other (id text);
                 INSERT INTO "Village" SELECT n FROM generate_series(1, 500) n; ANALYZE "Village" """)  # fmt: skip
    with connect(target, read_only=True) as connection:
        facts = target_facts(connection, target, read_catalog(connection, "public"))
    ((version, size_bytes),) = ask_postgres(
        target.uri, "SELECT current_setting('server_version'), pg_database_size(current_database())"
    )
    assert abs(int(str(facts.pop("size_bytes"))) - size_bytes) < 1_000_000
    assert facts == {
        "url": target.redacted,
        "server_version": version,
        "database": urlsplit(target.uri).path[1:],
        "schema": "public",
        "role": "odyssey",
        "encoding": "UTF8",
        "collation": "C.UTF-8",
        "tls": False,
        "tls_version": None,
        "tables": ["Village"],
        "rows_about": 500,
    }


def test_estimates_that_are_not_there_are_not_invented(two_tables: TargetUrl) -> None:
    with connect(two_tables, read_only=True) as connection:
        facts = target_facts(connection, two_tables, read_catalog(connection, "public"))
    assert (facts["tables"], facts["rows_about"]) == (["User", "Village"], None)


def test_another_encoding_is_an_error(server: EmbeddedServer, database_uri: str) -> None:
    name = urlsplit(database_uri).path[1:] + "_ascii"
    with psycopg.connect(database_uri, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")
        try:
            findings = findings_of(parse_target_url(server.uri_of(name)))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert seen(findings) == [("error", "wrong_encoding", 1)]
    assert findings[0].detail.startswith(f"the database {name} is encoded in SQL_ASCII, which does not hold every text")


def test_a_database_closed_to_writers_is_an_error(two_tables: TargetUrl) -> None:
    with psycopg.connect(two_tables.uri, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {admin.info.dbname} SET default_transaction_read_only = on")
    findings = findings_of(two_tables)
    assert seen(findings) == [("error", "read_only", 1)]
    assert findings[0].detail.startswith("default_transaction_read_only is on for odyssey in test_")


def test_a_small_server_has_few_connections_and_a_standby_takes_no_writes(state_dir: Path) -> None:
    settings = FAST_SETTINGS | {"max_connections": "8"}
    server = ensure_running(state_dir, settings)
    findings = findings_of(parse_target_url(server.uri_of("postgres")))
    assert seen(findings) == [("warning", "few_connections", 1)]
    assert findings[0].detail.startswith("only 4 of 8 connections are free for ordinary roles")
    stop(state_dir)
    (server.data_dir / "standby.signal").touch()
    standby = ensure_running(state_dir, settings)
    findings = findings_of(parse_target_url(standby.uri_of("postgres")))
    assert seen(findings) == [("error", "in_recovery", 1), ("warning", "few_connections", 1)]


def test_a_disk_without_room_is_an_error_with_both_numbers(application: TargetUrl, tmp_path: Path) -> None:
    (finding,) = findings_of(application, data_dir=tmp_path, needed_bytes=10**18)
    free = finding.detail.removeprefix("PostgreSQL's disk has ").partition(" bytes free")[0]
    assert (finding.severity, finding.kind) == (Severity.ERROR, "no_space")
    assert abs(int(free.replace(",", "")) - shutil.disk_usage(tmp_path).free) < 10**10
    assert finding.detail.endswith("the run needs about 1,000,000,000,000,000,000")


def test_a_disk_elsewhere_is_not_judged(application: TargetUrl) -> None:
    assert findings_of(application, data_dir=None, needed_bytes=10**18) == ()


def test_a_disk_that_cannot_be_asked_is_said_to_be_unknown(application: TargetUrl, tmp_path: Path) -> None:
    findings = findings_of(application, data_dir=tmp_path / "gone", needed_bytes=5000)
    assert seen(findings) == [("warning", "unknown_space", 1)]
    assert findings[0].detail.endswith("cannot be told (No such file or directory); 5,000 bytes are needed")


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("postgresql://u:p@db.example.com/x", "the URL names no sslmode"),
        ("postgresql://u:p@db.example.com/x?sslmode=prefer", "the URL's sslmode is prefer"),
        ("postgresql://u:p@10.0.0.7/x?sslmode=disable", "the URL's sslmode is disable"),
        ("postgresql://u:p@localhost,db.example.com/x", "the URL names no sslmode"),
    ],
)
def test_an_open_line_to_another_machine_is_a_warning(application: TargetUrl, said: str, asked: str) -> None:
    findings = findings_of(application, said=parse_target_url(said))
    assert seen(findings) == [("warning", "not_encrypted", 1)]
    assert f"is not encrypted ({asked}): password" in findings[0].detail


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "[::1]", "localhost", "", "%2Fvar%2Frun%2Fpostgresql"])
def test_a_line_within_the_machine_needs_no_encryption(application: TargetUrl, host: str) -> None:
    assert findings_of(application, said=parse_target_url(f"postgresql://u:p@{host}/x")) == ()


@pytest.fixture
def tls_uri(every_server: EmbeddedServer, every_database_uri: str, tmp_path: Path) -> Iterator[str]:
    """A database reached with TLS, on servers that were built with it."""
    openssl = shutil.which("openssl")
    ((library,),) = ask_postgres(every_database_uri, "SELECT current_setting('ssl_library', true)")
    if not library or openssl is None:
        pytest.skip("this server was built without OpenSSL, or there is no openssl program")
    owner = every_server.data_dir.stat()
    files = [every_server.data_dir / "server.key", every_server.data_dir / "server.crt"]
    command = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([openssl, *command, "-keyout", files[0], "-out", files[1]], check=True, capture_output=True)
    for file in files:
        os.chown(file, owner.st_uid, owner.st_gid)
        file.chmod(0o600)
    with psycopg.connect(every_database_uri, autocommit=True) as admin:
        try:
            for statement in ("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"):
                admin.execute(statement)
            wait_until_answering(uri := every_database_uri.replace("sslmode=disable", "sslmode=require"))
            yield uri
        finally:
            for statement in ("ALTER SYSTEM RESET ssl", "SELECT pg_reload_conf()"):
                admin.execute(statement)


def wait_until_answering(uri: str) -> None:
    for _ in range(100):
        try:
            return psycopg.connect(uri).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
    raise AssertionError("the server did not take up TLS")


def test_an_encrypted_line_is_no_finding_and_its_version_a_fact(tls_uri: str) -> None:
    target = parse_target_url(tls_uri)
    assert findings_of(target, said=parse_target_url("postgresql://u:p@db.example.com/x")) == ()
    with connect(target, read_only=True) as connection:
        facts = target_facts(connection, target, read_catalog(connection, "public"))
    assert (facts["tls"], facts["tls_version"]) == (True, "TLSv1.3")
