"""Runs over some tables: rows whose parents are in a table left out, and not in PostgreSQL, are named or held back."""

from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.errors import FindingsError
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.preflight.run import PreflightRequest, run_preflight
from odyssey_assets.sync.outcome import Outcome, Policy
from odyssey_assets.sync.run import run
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.plain_source import plant, write_database
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import request_for

PARENTS = frozenset({"Village", "User", "Feature"})
FEEDBACK = frozenset({"Feedback"})
CHILDREN = frozenset({"Feedback", "Vote"})
HELD_BACK = "refers to a row of User that is held back in odyssey_sync.quarantine"
UNPUBLISHED = "refers to a row of User that PostgreSQL does not hold yet; publish User as well"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_database(tmp_path / "odyssey.db", rows=4)


@pytest.fixture
def uri(database_uri: str) -> str:
    run_postgres(database_uri, prisma_sql(5))
    return database_uri


def carry(folder: Path, source: Path, uri: str, tables: frozenset[str], **options: Any) -> Outcome:
    return run(request_for(folder, source, uri, publish=tables, **{"policy": Policy.QUARANTINE} | options))


def told(source: Path, uri: str, tables: frozenset[str]) -> list[tuple[str, str, str | None, Any, str]]:
    """The findings about rows."""
    request = PreflightRequest(source, parse_target_url(uri), source.parent / "snapshots", tables=tables)
    return [row(each) for each in run_preflight(request).findings if each.column]


def row(finding: Finding) -> tuple[str, str, str | None, Any, str]:
    key = None if finding.key is None else str(finding.key["id"])
    return finding.severity.value, f"{finding.table}.{finding.column}", key, finding.kind, finding.detail


def quarantined(uri: str) -> set[tuple[Any, ...]]:
    return set(ask_postgres(uri, "SELECT table_name, key->>'id', column_name, reason FROM odyssey_sync.quarantine"))


def publish_parents_with_one_held_back(folder: Path, source: Path, uri: str) -> None:
    plant(source, "User", 2, role="CEO")
    assert carry(folder, source, uri, PARENTS).ok


def test_children_of_a_row_in_quarantine_are_named_and_stop_the_run(tmp_path: Path, source: Path, uri: str) -> None:
    publish_parents_with_one_held_back(tmp_path, source, uri)
    before = dump(uri)
    expected = ("error", "Feedback.authorId", "Feedback-1", "held_back_parent", HELD_BACK)
    assert told(source, uri, FEEDBACK) == [expected]
    with pytest.raises(FindingsError) as raised:
        carry(tmp_path, source, uri, FEEDBACK, policy=Policy.STOP)
    errors = [each for each in raised.value.findings if each.severity is Severity.ERROR]
    assert [row(each) for each in errors] == [expected]
    assert dump(uri) == before


def test_children_of_a_row_in_quarantine_follow_it_with_their_own(tmp_path: Path, source: Path, uri: str) -> None:
    publish_parents_with_one_held_back(tmp_path, source, uri)
    outcome = carry(tmp_path, source, uri, CHILDREN)
    assert outcome.ok
    assert {table.name: table.quarantined for table in outcome.tables} == {"Feedback": 1, "Vote": 1}
    assert quarantined(uri) >= {
        ("Feedback", "Feedback-1", "authorId", "held_back_parent"),
        ("Vote", "Vote-1", "userId", "held_back_parent"),
    }
    plant(source, "User", 2, role="USER")
    assert carry(tmp_path, source, uri, PARENTS | CHILDREN, applies_changes=True).ok
    assert quarantined(uri) == set()


def test_children_of_a_parent_that_was_only_not_published_are_never_held_back(
    tmp_path: Path, source: Path, uri: str
) -> None:
    assert carry(tmp_path, source, uri, PARENTS).ok
    run_sqlite(
        source,
        """UPDATE "User" SET "id" = 'new' WHERE rowid = 3""",
        """UPDATE "Feedback" SET "authorId" = 'new' WHERE rowid = 3""",
    )
    assert told(source, uri, FEEDBACK) == [
        ("error", "Feedback.authorId", "Feedback-2", "unpublished_parent", UNPUBLISHED)
    ]
    with pytest.raises(FindingsError, match="publish User as well"):
        carry(tmp_path, source, uri, FEEDBACK)
    assert carry(tmp_path, source, uri, FEEDBACK | {"User", "Account"}, applies_changes=True).ok


def test_a_re_sync_of_one_table_names_its_new_rows_too(tmp_path: Path, source: Path, uri: str) -> None:
    publish_parents_with_one_held_back(tmp_path, source, uri)
    run_sqlite(source, """UPDATE "Feedback" SET "authorId" = 'User-0'""", """UPDATE "Vote" SET "userId" = 'User-0'""")
    assert carry(tmp_path, source, uri, CHILDREN).ok
    run_sqlite(source, """UPDATE "Feedback" SET "authorId" = 'User-1' WHERE rowid = 4""")
    with pytest.raises(FindingsError, match="User that is held back"):
        carry(tmp_path, source, uri, FEEDBACK, applies_changes=True, policy=Policy.STOP)
    run_sqlite(source, """UPDATE "Feedback" SET "authorId" = 'User-3' WHERE rowid = 4""")
    assert carry(tmp_path, source, uri, FEEDBACK, applies_changes=True, policy=Policy.STOP).ok


def test_rows_that_lead_nowhere_in_sqlite_either_are_orphans(tmp_path: Path, source: Path, uri: str) -> None:
    assert carry(tmp_path, source, uri, PARENTS).ok
    plant(source, "Feedback", 1, authorId="nobody")
    plant(source, "Feedback", 2, authorId="a\x00b")
    found = [each[1:4] for each in told(source, uri, FEEDBACK) if each[1] == "Feedback.authorId"]
    assert sorted(found) == [
        ("Feedback.authorId", "Feedback-0", "orphan"),
        ("Feedback.authorId", "Feedback-1", "nul_character"),
        ("Feedback.authorId", "Feedback-1", "orphan"),
    ]


def test_before_the_tables_are_made_every_parent_is_missing(tmp_path: Path, source: Path, database_uri: str) -> None:
    assert {each[1:4] for each in told(source, database_uri, FEEDBACK)} >= {
        ("Feedback.authorId", f"Feedback-{number}", "unpublished_parent") for number in range(4)
    }
    assert told(source, database_uri, PARENTS) == []
