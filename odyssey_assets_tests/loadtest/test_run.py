"""The load test with the real pgbench: every kind of transaction is timed, and no row is ever another."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from odyssey_assets.errors import ConfigurationError, UnreachableError
from odyssey_assets.loadtest.pgbench import find_pgbench, run_pgbench
from odyssey_assets.loadtest.run import LoadOptions, load_test
from odyssey_assets.loadtest.scripts import Script, scripts_for
from odyssey_assets.loadtest.telling import document, lines
from odyssey_assets.model.queries import MAIN_QUERIES
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.run import run
from odyssey_assets.target.connection import connect
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for, verification

SHORT = LoadOptions(clients=3, seconds=1, limit_milliseconds=60_000)
EVERYTHING = [*(each.name for each in MAIN_QUERIES), "vote"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("source") / "odyssey.db", scale=0.1).path


@contextmanager
def publication(server: EmbeddedServer, source: Path, folder: Path) -> Iterator[TargetUrl]:
    with fresh_database(server) as uri:
        run(request_for(folder, source, uri))
        yield parse_target_url(uri)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, source: Path, server: EmbeddedServer) -> Iterator[TargetUrl]:
    """One publication for all tests, for none of them may change a row."""
    with publication(server, source, tmp_path_factory.mktemp("run")) as target:
        yield target


@pytest.fixture
def published_everywhere(tmp_path: Path, source: Path, every_server: EmbeddedServer) -> Iterator[TargetUrl]:
    """On each server, whose pgbench is its own."""
    with publication(every_server, source, tmp_path) as target:
        yield target


def test_everything_is_timed_and_no_row_is_changed(
    tmp_path: Path, source: Path, published_everywhere: TargetUrl
) -> None:
    published = published_everywhere
    before = dump(published.uri)
    test = load_test(published, SHORT)
    assert [each.name for each in test.alone.times] == EVERYTHING
    assert all(each.transactions > 0 and each.errors == 0 for each in test.alone.times)
    # Of a transaction that is begun and done within one round of its loop pgbench says 0.
    assert all(0 <= each.p50 <= each.p95 <= each.p99 for each in test.alone.times)  # type: ignore[operator]
    assert any(each.p99 for each in test.alone.times)
    assert test.ok
    assert test.alone.said == ()
    assert dump(published.uri) == before
    assert run(verification(tmp_path, source, published.uri)).ok
    assert ask_postgres(published.uri, """SELECT count(*) FROM "Vote" WHERE "id" LIKE 'loadtest%'""") == [(0,)]
    assert document(test)["ok"] is True
    assert lines(test)[-1].startswith("everything was tried")


def test_a_vote_is_written_and_its_commit_waits_for_the_disk(published: TargetUrl) -> None:
    """Nothing is seen of it, but the log has grown and has been flushed by more than the queries would."""
    with connect(published, read_only=True) as connection:
        scripts, _ = scripts_for(connection, "public")
    (vote,) = (each for each in scripts if each.name == "vote")
    before = ask_postgres(published.uri, "SELECT pg_current_wal_insert_lsn()")[0][0]
    logged = run_pgbench(find_pgbench(published), published, [vote], clients=1, seconds=1)
    votes = len(logged.milliseconds[0])
    (grown,) = ask_postgres(published.uri, f"SELECT pg_current_wal_flush_lsn() - '{before}'")[0]
    assert votes > 10
    assert grown > votes * 300


def test_beside_re_syncs_the_difference_is_told(tmp_path: Path, source: Path, published: TargetUrl) -> None:
    sync = request_for(tmp_path, source, published.uri, applies_changes=True)
    test = load_test(published, SHORT, sync)
    assert test.syncs is not None
    assert test.during_syncs is not None
    assert (test.syncs.finished > 0, test.syncs.refused, test.syncs.changed_rows) == (True, 0, 0)
    assert [each.name for each in test.during_syncs.times] == EVERYTHING
    told = "\n".join(lines(test))
    assert "while re-syncs run" in told
    assert "as a multiple of those alone" in told
    assert run(verification(tmp_path, source, published.uri)).ok


def test_what_cannot_be_tried_is_told_and_no_pass(database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5))
    test = load_test(parse_target_url(database_uri), SHORT)
    assert [each.name for each in test.left_out] == ["search", "notifications", "vote"]
    assert not test.ok
    assert "not tried: vote, there is no feedback or nobody to vote for it" in lines(test)


def test_too_slow_is_no_pass(published: TargetUrl) -> None:
    test = load_test(published, LoadOptions(clients=2, seconds=1, per_second=50, limit_milliseconds=0.0001))
    assert not test.ok
    assert lines(test)[-1].startswith("NOT everything")


def test_errors_are_counted_where_they_happen_and_quoted(database_uri: str) -> None:
    target = parse_target_url(database_uri)
    scripts = [Script("fine", 1, "SELECT 1;\n"), Script("broken", 1, "SELECT * FROM nowhere;\n")]
    logged = run_pgbench(find_pgbench(target), target, scripts, clients=3, seconds=1)
    assert logged.errors == (0, 3)
    assert logged.said == ('relation "nowhere" does not exist',)


def test_odd_values_reach_the_query_as_they_are(database_uri: str) -> None:
    """Colons and dollars mean something to pgbench, quotes to SQL. Each query finds its row and divides by zero."""
    run_postgres(database_uri, prisma_sql(5))
    odd = 'it\'s :a $1 \\ "ü" {x}'
    with psycopg.connect(database_uri) as connection:
        connection.execute(
            """INSERT INTO "User" ("id", "email", "employeeId", "displayName", "updatedAt")
               VALUES (%s, 'e', 'e', 'd', now())""",
            [odd],
        )
        connection.execute(
            """INSERT INTO "Notification" ("id", "userId", "type", "title", "body") VALUES ('n', %s, 't', 't', 'b')""",
            [odd],
        )
    target = parse_target_url(database_uri)
    with connect(target, read_only=True) as connection:
        scripts, _ = scripts_for(connection, "public")
    (asked,) = (each for each in scripts if each.name == "notifications")
    dividing = asked.text.replace("SELECT ", "SELECT 1 / (count(*) - 1) FROM (SELECT ", 1).replace(";\n", ") x;\n")
    logged = run_pgbench(find_pgbench(target), target, [Script("x", 1, dividing)], clients=1, seconds=1)
    assert logged.said == ("division by zero",)


def test_more_clients_than_the_server_takes_are_refused_before_anything(database_uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"has room for \d+ more connections, and the load test takes 5,000"):
        load_test(parse_target_url(database_uri), LoadOptions(clients=5000, seconds=1))


def test_a_wrong_password_is_told_and_not_shown(database_uri: str) -> None:
    target = parse_target_url(database_uri)
    wrong = parse_target_url(database_uri.replace(target.secrets[0], "wrong-secret"))
    with pytest.raises(UnreachableError, match="password authentication failed") as refusal:
        run_pgbench(find_pgbench(target), wrong, [Script("one", 1, "SELECT 1;\n")], clients=1, seconds=1)
    assert "wrong-secret" not in str(refusal.value)


def test_the_embedded_servers_program_comes_last_where_tls_is_asked_for(tmp_path: Path) -> None:
    programs = [tmp_path / "wheel", tmp_path / "system"]
    for program in programs:
        program.touch()
    assert find_pgbench(parse_target_url("postgresql://h/d"), programs) == programs[0]
    assert find_pgbench(parse_target_url("postgresql://h/d?sslmode=require"), programs) == programs[1]
    with pytest.raises(ConfigurationError, match="no pgbench"):
        find_pgbench(parse_target_url("postgresql://h/d"), [tmp_path / "nowhere"])
