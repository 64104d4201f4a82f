"""The indexes: used by the queries they are for, made without locking anybody out, and mended when half made."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from odyssey_assets.errors import ConfigurationError, IntegrityError, RefusedError
from odyssey_assets.optimise import build
from odyssey_assets.optimise.build import Status, drop, optimise
from odyssey_assets.optimise.indexes import FEEDBACK_ACTIVE, FEEDBACK_SEARCH, OPTIMISATIONS, VOTE_TOTALS
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.outcome import TableStatus
from odyssey_assets.sync.run import run
from odyssey_assets.target.catalog import read_catalog
from odyssey_assets.target.connection import commit, connect
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.rebuild import put_back, require_same, take_off
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.optimise.rows import fill
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for, verification

VALID_SQL = """SELECT c.relname, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
               WHERE c.relname LIKE 'odyssey%' ORDER BY 1"""
ALL = [("odyssey_feedback_active", True), ("odyssey_feedback_search", True), ("odyssey_vote_totals", True)]


@pytest.fixture(scope="module")
def filled(every_server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(every_server) as uri:
        fill(uri)
        yield uri


@pytest.fixture
def plain(database_uri: str) -> TargetUrl:
    """The schema without rows."""
    run_postgres(database_uri, prisma_sql(5))
    return parse_target_url(database_uri)


def test_each_is_used_by_its_query_and_not_before_it_is_there(filled: str) -> None:
    target = parse_target_url(filled)
    steps: list[str] = []
    made = optimise(target, on_step=steps.append)
    assert [(each.optimisation, each.status, each.is_used) for each in made] == [
        (each, Status.MADE, True) for each in OPTIMISATIONS
    ]
    assert steps == [f"{each.index} on {each.table}" for each in OPTIMISATIONS]
    assert all(each.milliseconds_without and each.milliseconds_with and each.size_bytes for each in made)
    assert ask_postgres(filled, VALID_SQL) == ALL

    again = optimise(target)
    assert [(each.status, each.is_used, each.milliseconds_without) for each in again] == [(Status.KEPT, True, None)] * 3

    gone = drop(target)
    assert {each.status for each in gone} == {Status.DROPPED}
    assert all(each.milliseconds_without and each.milliseconds_with for each in gone)
    assert ask_postgres(filled, VALID_SQL) == []
    assert {each.status for each in drop(target)} == {Status.ABSENT}


def test_what_a_broken_attempt_left_is_made_again(plain: TargetUrl) -> None:
    with psycopg.connect(plain.uri, autocommit=True) as connection:
        connection.execute('CREATE TABLE two AS SELECT 1 AS "one" FROM generate_series(1, 2)')
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute('CREATE UNIQUE INDEX CONCURRENTLY left_over ON two ("one")')
        connection.execute("DROP TABLE two")
        with psycopg.connect(plain.uri) as writer:
            writer.execute('LOCK TABLE "Vote" IN ROW EXCLUSIVE MODE')
            connection.execute("SET lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute(f'CREATE INDEX CONCURRENTLY odyssey_vote_totals ON "Vote" {VOTE_TOTALS.definition}')
    assert ask_postgres(plain.uri, VALID_SQL) == [("odyssey_vote_totals", False)]
    assert [each.status for each in optimise(plain, [VOTE_TOTALS])] == [Status.REMADE]
    assert ask_postgres(plain.uri, VALID_SQL) == [("odyssey_vote_totals", True)]


def test_a_build_that_has_to_wait_too_long_leaves_nothing(plain: TargetUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "LOCK_SECONDS", 0.05)
    with psycopg.connect(plain.uri) as writer:
        writer.execute('LOCK TABLE "Vote" IN ROW EXCLUSIVE MODE')
        with pytest.raises(RefusedError, match="Another session holds a lock"):
            optimise(plain, [VOTE_TOTALS])
        writer.rollback()
    assert [valid for _, valid in ask_postgres(plain.uri, VALID_SQL) if valid] == []


def test_an_index_somebody_is_just_making_is_not_dropped(plain: TargetUrl) -> None:
    with psycopg.connect(plain.uri) as writer:
        writer.execute('LOCK TABLE "Vote" IN ROW EXCLUSIVE MODE')
        other = threading.Thread(target=optimise, args=(plain, [VOTE_TOTALS]))
        other.start()
        while ask_postgres(plain.uri, VALID_SQL) == []:
            time.sleep(0.01)
        with pytest.raises(RefusedError, match=r"is unfinished, and session \d+ is at work on Vote"):
            optimise(plain, [VOTE_TOTALS])
        writer.rollback()
        other.join()
    assert ask_postgres(plain.uri, VALID_SQL) == [("odyssey_vote_totals", True)]


def test_writers_go_on_while_it_is_made(plain: TargetUrl) -> None:
    """The build waits for the writer's transaction; another writer does not wait for the build."""
    with psycopg.connect(plain.uri) as writer:
        writer.execute('LOCK TABLE "Feedback" IN ROW EXCLUSIVE MODE')
        maker = threading.Thread(target=optimise, args=(plain, [FEEDBACK_ACTIVE]))
        maker.start()
        while ask_postgres(plain.uri, VALID_SQL) == []:
            time.sleep(0.01)
        run_postgres(plain.uri, """SET lock_timeout = '1s'; UPDATE "Feedback" SET "title" = 'x'""")
        writer.rollback()
        maker.join()
    assert ask_postgres(plain.uri, VALID_SQL) == [("odyssey_feedback_active", True)]


def test_without_the_tables_there_is_nothing_to_do(database_uri: str) -> None:
    assert {each.status for each in optimise(parse_target_url(database_uri))} == {Status.ABSENT}


def test_on_empty_tables_a_time_is_told_only_where_there_is_something_to_look_for(plain: TargetUrl) -> None:
    (search,) = optimise(plain, [FEEDBACK_SEARCH])
    assert (search.status, search.milliseconds_with, search.is_used) == (Status.MADE, None, None)


def test_a_role_that_owns_nothing_is_told_which_right_it_lacks(plain: TargetUrl) -> None:
    run_postgres(
        plain.uri, "CREATE ROLE stranger LOGIN PASSWORD 'x'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger"
    )
    try:
        stranger = parse_target_url(plain.uri.replace("odyssey:", "stranger:", 1).replace(_password(plain), "x"))
        with pytest.raises(ConfigurationError, match="lacks a right: must be owner of table Vote"):
            optimise(stranger, [VOTE_TOTALS])
    finally:
        run_postgres(plain.uri, "DROP OWNED BY stranger; DROP ROLE stranger")


def test_the_dual_run_goes_on_as_before(tmp_path: Path, database_uri: str) -> None:
    """Load, optimise, sync, verify, and a load into emptied tables, which takes all indexes off and puts them back."""
    source = write_sample(tmp_path / "odyssey.db", scale=0.2).path
    run(request_for(tmp_path, source, database_uri))
    target = parse_target_url(database_uri)
    optimise(target)
    assert run(verification(tmp_path, source, database_uri)).ok
    synced = run(request_for(tmp_path, source, database_uri, applies_changes=True))
    assert synced.ok
    assert not any(check.name.value == "tampering" and not check.passed for t in synced.tables for check in t.checks)
    assert {table.status for table in synced.tables} <= {TableStatus.UNCHANGED, TableStatus.ABSENT}
    assert ask_postgres(database_uri, VALID_SQL) == ALL


def test_a_text_too_long_to_be_searched_is_told_and_leaves_nothing(plain: TargetUrl) -> None:
    run_postgres(
        plain.uri,
        """INSERT INTO "User" ("id", "email", "employeeId", "displayName", "updatedAt")
           VALUES ('u', 'e', 'e', 'd', now());
           INSERT INTO "Feedback" ("id", "authorId", "title", "body", "updatedAt")
           SELECT 'f', 'u', 't', string_agg('word' || i, ' '), now() FROM generate_series(1, 150000) i""",
    )
    with pytest.raises(IntegrityError, match="larger than PostgreSQL or one of its indexes takes: string is too long"):
        optimise(plain, [FEEDBACK_SEARCH])
    assert ask_postgres(plain.uri, VALID_SQL) == []


def test_a_load_does_not_stumble_over_an_unfinished_one(plain: TargetUrl) -> None:
    with psycopg.connect(plain.uri) as writer, psycopg.connect(plain.uri, autocommit=True) as connection:
        writer.execute('LOCK TABLE "Vote" IN ROW EXCLUSIVE MODE')
        connection.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute(f'CREATE INDEX CONCURRENTLY odyssey_vote_totals ON "Vote" {VOTE_TOTALS.definition}')
    with connect(plain) as session:
        before = read_catalog(session, "public")
        put_back(session, before, take_off(session, before, frozenset({"Vote"})), lambda _: None)
        require_same(before, read_catalog(session, "public"))
        commit(session)
    assert ask_postgres(plain.uri, VALID_SQL) == [("odyssey_vote_totals", True)]


def _password(target: TargetUrl) -> str:
    return target.uri.partition("//odyssey:")[2].partition("@")[0]
