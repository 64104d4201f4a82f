"""Verifying while rows are held back: by the quarantine that was recorded, never by what is wrong with the source."""

from collections.abc import Callable
from pathlib import Path

import pytest

from odyssey_assets.errors import IntegrityError
from odyssey_assets.sync.outcome import Outcome, Policy
from odyssey_assets.sync.run import run
from odyssey_assets_tests.plain_source import plant, write_database
from odyssey_assets_tests.statements import prisma_sql, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import NONE, failures, request_for

TABLES = frozenset({"Village", "User", "Feature", "Feedback", "Vote"})
HELD = {"User": 1, "Feedback": 1, "Vote": 1}

Verify = Callable[[], Outcome]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = write_database(tmp_path / "odyssey.db", rows=4)
    plant(path, "User", 2, role="CEO")
    return path


@pytest.fixture
def uri(tmp_path: Path, source: Path, database_uri: str) -> str:
    """A target that was published with a user, his feedback and his vote held back."""
    run_postgres(database_uri, prisma_sql(5))
    assert run(request_for(tmp_path, source, database_uri, publish=TABLES, policy=Policy.QUARANTINE)).ok
    return database_uri


@pytest.fixture
def verify(tmp_path: Path, source: Path, uri: str) -> Verify:
    return lambda: run(request_for(tmp_path, source, uri, publish=NONE, verify=TABLES))


def held(outcome: Outcome) -> dict[str, int]:
    return {table.name: table.quarantined for table in outcome.tables if table.quarantined}


def behind(outcome: Outcome) -> dict[str, int | None]:
    return {table.name: table.rows_behind for table in outcome.tables if table.rows_behind != 0}


def forget_publications(uri: str) -> None:
    run_postgres(uri, "DELETE FROM odyssey_sync.published_table; DELETE FROM odyssey_sync.publication")


def test_rows_that_turned_bad_since_are_lag_and_are_not_held_back(source: Path, verify: Verify) -> None:
    plant(source, "Vote", 3, weight="heavy")
    plant(source, "Feature", 1, title=b"\x00")
    run_sqlite(source, """INSERT INTO "Vote" SELECT 'new', 'Feedback-0', 'nobody', 1, 1, 0""")
    run_sqlite(source, """DELETE FROM "Village" WHERE rowid = 4""")
    outcome = verify()
    assert outcome.ok
    assert held(outcome) == HELD
    assert behind(outcome) == {"Vote": 2, "Feature": 1, "Village": 1}


def test_a_row_mended_in_the_source_stays_held_back_until_the_next_sync(source: Path, verify: Verify) -> None:
    plant(source, "User", 2, role="USER")
    outcome = verify()
    assert outcome.ok
    assert (held(outcome), behind(outcome)) == (HELD, {"User": 1})


def test_without_the_published_snapshot_the_rows_held_back_are_still_told(tmp_path: Path, verify: Verify) -> None:
    for path in (tmp_path / "snapshots").iterdir():
        path.unlink()
    outcome = verify()
    assert outcome.ok
    assert held(outcome) == HELD


def test_without_a_ledger_the_recorded_rows_are_left_out_of_the_source_as_it_is(uri: str, verify: Verify) -> None:
    forget_publications(uri)
    outcome = verify()
    assert outcome.ok
    assert held(outcome) == HELD


def test_without_a_ledger_a_new_bad_row_is_a_failure(source: Path, uri: str, verify: Verify) -> None:
    forget_publications(uri)
    run_sqlite(source, """INSERT INTO "Vote" SELECT 'new', 'Feedback-0', 'nobody', 1, 1, 0""")
    assert set(failures(verify())) == {("Vote", "row_count"), ("Vote", "rows_equal")}
    run_sqlite(source, """UPDATE "Vote" SET "weight" = 'heavy' WHERE "id" = 'new'""")
    with pytest.raises(IntegrityError, match=r"Vote.weight holds a value that PostgreSQL cannot take .* id='new'"):
        verify()


def test_without_a_ledger_a_rowid_given_anew_holds_no_other_row_back(source: Path, uri: str, verify: Verify) -> None:
    forget_publications(uri)
    run_sqlite(source, 'DELETE FROM "Vote" WHERE rowid = 2', 'UPDATE "Vote" SET rowid = 2 WHERE rowid = 3')
    outcome = verify()
    assert outcome.ok
    assert held(outcome) == {"User": 1, "Feedback": 1}


def test_a_quarantine_that_somebody_changed_is_told(uri: str, verify: Verify) -> None:
    run_postgres(uri, "DELETE FROM odyssey_sync.quarantine WHERE table_name = 'Vote'")
    with pytest.raises(IntegrityError, match="quarantine was changed by someone else: of Vote it holds 0 of the rows"):
        verify()
