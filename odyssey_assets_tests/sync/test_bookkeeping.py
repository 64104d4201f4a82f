"""Our own schema in the target: made once, brought up to date, never brought down."""

from pathlib import Path

import pytest

from odyssey_assets.errors import ConfigurationError
from odyssey_assets.sync.bookkeeping import UPGRADES, bookkeeping_version, ensure_bookkeeping
from odyssey_assets.sync.outcome import Outcome
from odyssey_assets.sync.run import run
from odyssey_assets.target.connection import connect
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.statements import ask_postgres, run_postgres, run_sqlite
from odyssey_assets_tests.sync.older_bookkeeping import PUBLICATIONS_SINCE, bring_back
from odyssey_assets_tests.sync.requests import NONE, request_for


@pytest.fixture
def target(database_uri: str) -> TargetUrl:
    return parse_target_url(database_uri)


def ensure(target: TargetUrl) -> None:
    with connect(target) as connection:
        ensure_bookkeeping(connection)
        connection.commit()


def shape(uri: str) -> list[tuple[object, ...]]:
    return ask_postgres(
        uri,
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
        "WHERE table_schema = 'odyssey_sync' ORDER BY 1, ordinal_position",
    )


def test_nothing_is_there_before_the_first_run(target: TargetUrl) -> None:
    with connect(target, read_only=True) as connection:
        assert bookkeeping_version(connection) == 0


def test_it_is_made_at_the_newest_version_and_a_second_time_changes_nothing(
    target: TargetUrl, database_uri: str
) -> None:
    ensure(target)
    with connect(target, read_only=True) as connection:
        assert bookkeeping_version(connection) == len(UPGRADES)
    made = shape(database_uri)
    assert ("quarantine", "original", "jsonb", "NO") in made
    ensure(target)
    assert shape(database_uri) == made


@pytest.mark.parametrize("version", range(1, len(UPGRADES)))
def test_an_older_version_is_brought_up_to_date_and_keeps_its_rows(
    target: TargetUrl, database_uri: str, version: int
) -> None:
    older = [statement for statements in UPGRADES[:version] for statement in statements]
    run_postgres(database_uri, "; ".join([
        "CREATE SCHEMA odyssey_sync", "CREATE TABLE odyssey_sync.version (number integer NOT NULL)",
        f"INSERT INTO odyssey_sync.version VALUES ({version})", *older]))  # fmt: skip
    row = "'public', 'T', 1, '{}', NULL, 'reason', 'detail', '{}', 'snapshot'"
    run_postgres(database_uri, f"INSERT INTO odyssey_sync.quarantine VALUES ({row})")
    ensure(target)
    assert ask_postgres(database_uri, "SELECT number FROM odyssey_sync.version") == [(len(UPGRADES),)]
    assert ask_postgres(database_uri, "SELECT count(*) FROM odyssey_sync.quarantine") == [(1,)]


def test_a_newer_version_is_refused_and_left_as_it_is(target: TargetUrl, database_uri: str) -> None:
    ensure(target)
    run_postgres(database_uri, "UPDATE odyssey_sync.version SET number = 1000")
    with pytest.raises(ConfigurationError, match="version 1000, which is newer than this program knows") as raised:
        ensure(target)
    assert raised.value.exit_status == 2
    assert ask_postgres(database_uri, "SELECT number FROM odyssey_sync.version") == [(1000,)]


def test_without_a_commit_nothing_stays(target: TargetUrl, database_uri: str) -> None:
    with connect(target) as connection:
        ensure_bookkeeping(connection)
    assert shape(database_uri) == []


FEW = frozenset({"Village", "User", "VerificationToken"})
NO_LEDGER = "the table has no entry in the ledger, so nobody can tell whether its rows were changed"
PUBLICATIONS_SQL = "SELECT id, snapshot_id FROM odyssey_sync.publication ORDER BY id"


@pytest.mark.parametrize("version", range(1, len(UPGRADES) + 1))
def test_a_target_of_every_earlier_version_goes_on(loaded_uri: str, source: Path, tmp_path: Path, version: int) -> None:
    """What was published under it verifies as it is, is brought in step, and nobody is called a tamperer."""
    publication = request_for(tmp_path, source, loaded_uri, publish=FEW, applies_changes=True)
    verification = request_for(tmp_path, source, loaded_uri, publish=NONE, verify=FEW)
    assert run(publication).ok
    bring_back(loaded_uri, version)
    has_ledger = version >= PUBLICATIONS_SINCE
    known = ask_postgres(loaded_uri, PUBLICATIONS_SQL) if has_ledger else []
    assert_sound(run(verification), has_ledger=has_ledger)
    assert ask_postgres(loaded_uri, "SELECT number FROM odyssey_sync.version") == [(version,)], (
        "verifying upgrades nothing"
    )
    run_sqlite(source, """UPDATE "Village" SET "name" = 'renamed'""")
    synced = run(publication)
    assert_sound(synced, has_ledger=has_ledger)
    assert {table.name for table in synced.tables if table.inserted + table.updated + table.deleted} == {"Village"}
    assert ask_postgres(loaded_uri, "SELECT number FROM odyssey_sync.version") == [(len(UPGRADES),)]
    published = ask_postgres(loaded_uri, PUBLICATIONS_SQL)
    assert published[: len(known)] == known
    assert len(published) == len(known) + 1
    assert_sound(run(verification))
    assert differences(source, loaded_uri) == []


def assert_sound(outcome: Outcome, *, has_ledger: bool = True) -> None:
    """Every check passed, the warnings too; where there was no ledger yet they say so, and of no table more."""
    assert outcome.problem is None
    failed = [
        (check.name.value, check.detail) for table in outcome.tables for check in table.checks if not check.passed
    ]
    assert set(failed) <= (set() if has_ledger else {("tampering", NO_LEDGER)})
