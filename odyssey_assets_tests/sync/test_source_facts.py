"""Soft references and date forms over publications: found anew where rows changed, carried over where none did."""

from pathlib import Path

import pytest

from odyssey_assets.compare.checks import CheckName, CheckResult
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.outcome import Outcome
from odyssey_assets.sync.run import run
from odyssey_assets_tests.statements import ask_postgres, run_sqlite
from odyssey_assets_tests.sync.older_bookkeeping import bring_back
from odyssey_assets_tests.sync.requests import request_for

TABLES = frozenset({"Village", "Vote", "User", "Feature", "Feedback", "HRISSync", "HRISConflict", "EmailLog"})
TEXT_DATE = """UPDATE "Vote" SET "createdAt" = '2025-10-10T09:00:00.000+00:00' WHERE rowid = 1"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "odyssey.db", scale=0.1).path


def sync(folder: Path, source: Path, uri: str) -> Outcome:
    outcome = run(request_for(folder, source, uri, publish=TABLES, applies_changes=True))
    assert outcome.problem is None
    return outcome


def check(outcome: Outcome, table: str, name: CheckName) -> CheckResult:
    (found,) = (each for one in outcome.tables if one.name == table for each in one.checks if each.name is name)
    return found


def dates(outcome: Outcome, table: str = "Vote") -> tuple[bool, str]:
    found = check(outcome, table, CheckName.DATE_ENCODING)
    return found.passed, found.detail


def references(outcome: Outcome, table: str) -> tuple[bool, int, bool]:
    found = check(outcome, table, CheckName.SOFT_REFERENCES)
    return found.passed, found.differences, "carried over" in found.detail


def test_a_new_form_of_date_warns_once_and_is_then_known(tmp_path: Path, source: Path, database_uri: str) -> None:
    assert dates(sync(tmp_path, source, database_uri)) == (
        True,
        "1 columns, dates as integer; no earlier publication to compare with",
    )
    assert dates(sync(tmp_path, source, database_uri)) == (
        True,
        "1 columns, dates as integer (unchanged since publication 1, and carried over from it)",
    )
    run_sqlite(source, TEXT_DATE)
    is_passed, detail = dates(sync(tmp_path, source, database_uri))
    assert not is_passed
    assert detail.startswith("createdAt has dates as text, before it had integer (")
    assert "rows on changed pages looked at" in detail
    assert dates(sync(tmp_path, source, database_uri))[0]


def test_a_full_reading_finds_the_new_form_as_well(tmp_path: Path, source: Path, database_uri: str) -> None:
    sync(tmp_path, source, database_uri)
    for snapshot in (tmp_path / "snapshots").iterdir():
        snapshot.unlink()
    run_sqlite(source, TEXT_DATE)
    assert dates(sync(tmp_path, source, database_uri)) == (
        False,
        "createdAt has dates as text, before it had integer",
    )


def test_dangling_ids_are_counted_carried_over_and_mended(tmp_path: Path, source: Path, database_uri: str) -> None:
    assert references(sync(tmp_path, source, database_uri), "EmailLog") == (True, 0, False)
    run_sqlite(source, """UPDATE "EmailLog" SET "userId" = 'nobody' WHERE rowid = 1""")
    assert references(sync(tmp_path, source, database_uri), "EmailLog") == (False, 1, False)
    run_sqlite(source, """UPDATE "Vote" SET "weight" = "weight" + 1""")
    assert references(sync(tmp_path, source, database_uri), "EmailLog") == (False, 1, True)
    run_sqlite(source, """UPDATE "EmailLog" SET "userId" = NULL WHERE rowid = 1""")
    assert references(sync(tmp_path, source, database_uri), "EmailLog") == (True, 0, False)
    assert references(sync(tmp_path, source, database_uri), "EmailLog") == (True, 0, True)


def test_a_parent_that_goes_is_noticed_though_its_children_did_not_change(
    tmp_path: Path, source: Path, database_uri: str
) -> None:
    sync(tmp_path, source, database_uri)
    run_sqlite(source, 'DELETE FROM "HRISSync" WHERE "id" IN (SELECT "syncId" FROM "HRISConflict" LIMIT 1)')
    is_passed, rows, is_carried = references(sync(tmp_path, source, database_uri), "HRISConflict")
    assert (is_passed, rows > 0, is_carried) == (False, True, False)


def test_a_ledger_of_an_earlier_version_is_read_and_brought_up_to_date(
    tmp_path: Path, source: Path, database_uri: str
) -> None:
    sync(tmp_path, source, database_uri)
    bring_back(database_uri, 2)
    nothing_published = request_for(tmp_path, source, database_uri, publish=frozenset(), verify=TABLES)
    assert dates(run(nothing_published))[1].endswith("no earlier publication to compare with")
    assert ask_postgres(database_uri, "SELECT number FROM odyssey_sync.version") == [(2,)]
    assert references(sync(tmp_path, source, database_uri), "EmailLog") == (True, 0, False)
    kept = ask_postgres(database_uri, "SELECT date_forms, dangling FROM odyssey_sync.published_table "
                        "WHERE table_name = 'Vote' ORDER BY publication_id DESC LIMIT 1")  # fmt: skip
    assert kept == [({"createdAt": ["integer"]}, {})]
    assert references(sync(tmp_path, source, database_uri), "EmailLog") == (True, 0, True)
