"""The documents of runs: what is in them, and what never is."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from odyssey_assets.compare.checks import CheckName, CheckResult
from odyssey_assets.compare.differences import Difference, DifferenceKind
from odyssey_assets.errors import ConfigurationError, FindingsError, UnreachableError
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.report.document import (
    difference_document,
    error_document,
    finding_document,
    outcome_document,
    run_document,
)
from odyssey_assets.report.facts import TargetFacts
from odyssey_assets.source.snapshot import Snapshot
from odyssey_assets.sync.outcome import Outcome, TableOutcome, TableStatus
from odyssey_assets_tests.report import outcomes

TAKEN = datetime(2026, 12, 31, 23, 59, 58, 123456, tzinfo=UTC)
SNAPSHOT = Snapshot("20261231T235958123456Z-abcdef", Path("folder/snapshot.db"), "ab" * 32, TAKEN, 4096)
CHANGED = Difference(DifferenceKind.CHANGED, {"id": "v1"}, "weight", 1.0, 2.0)


def outcome(*listed: Difference, table: str = "Vote", problem: str | None = "It differs.") -> Outcome:
    check = CheckResult(table, CheckName.ROWS_EQUAL, not listed, len(listed), 7, "detail", listed=listed)
    return Outcome(
        SNAPSHOT,
        5,
        (TableOutcome(table, TableStatus.DIFFERS, source_rows=7, target_rows=6, checks=(check,), seconds=0.12349),),
        {"load": 1.23456},
        problem,
        "Do this.",
    )


def test_a_run_with_a_verdict() -> None:
    assert outcome_document(outcome(CHANGED)) == {
        "ok": False,
        "exit_status": 1,
        "problem": "It differs.",
        "hint": "Do this.",
        "source_version": "v5",
        "snapshot": {
            "id": SNAPSHOT.id,
            "sha256": "ab" * 32,
            "taken_at": "2026-12-31T23:59:58.123456+00:00",
            "bytes": 4096,
        },
        "tables": [
            {
                "name": "Vote",
                "status": "differs",
                "source_rows": 7,
                "target_rows": 6,
                "inserted": 0,
                "updated": 0,
                "deleted": 0,
                "quarantined": 0,
                "bytes": None,
                "seconds": 0.123,
                "rows_behind": None,
                "digests": {"source": None, "target": None, "publication": None},
                "checks": [
                    {
                        "name": "rows_equal",
                        "passed": False,
                        "severity": "error",
                        "differences": 1,
                        "looked_at_rows": 7,
                        "detail": "detail",
                        "listed": [{"kind": "changed", "key": {"id": "v1"}, "column": "weight"}],
                    }
                ],
            }
        ],
        "seconds": {"load": 1.235},
    }


def test_a_run_without_a_problem_is_ok() -> None:
    document = outcome_document(outcome(problem=None))
    assert (document["ok"], document["exit_status"], document["problem"]) == (True, 0, None)


def test_a_document_is_json_whatever_the_key_is() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000)
    difference = Difference(DifferenceKind.MISSING, {"at": moment, "n": 7, "text": "ä\n", "nothing": None})
    written = json.dumps(outcome_document(outcome(difference)), ensure_ascii=False)
    key = json.loads(written)["tables"][0]["checks"][0]["listed"][0]["key"]
    assert key == {"at": "2026-01-02T03:04:05.678000", "n": 7, "text": "ä\n", "nothing": None}


def test_values_are_there_only_on_request() -> None:
    assert difference_document("Vote", CHANGED) == {"kind": "changed", "key": {"id": "v1"}, "column": "weight"}
    assert difference_document("Vote", CHANGED, show_values=True) == {
        "kind": "changed",
        "key": {"id": "v1"},
        "column": "weight",
        "source": 1.0,
        "target": 2.0,
    }


def test_secrets_are_never_there() -> None:
    cell = Difference(DifferenceKind.CHANGED, {"id": "a1"}, "sessionToken", "hidden-1", "hidden-2")
    key = Difference(DifferenceKind.EXTRA, {"token": "hidden-3"})
    texts = [
        str(difference_document("AuthSession", cell, show_values=True)),
        str(difference_document("VerificationToken", key, show_values=True)),
        str(outcome_document(outcome(key, table="VerificationToken"), show_values=True)),
        str(finding_document(Finding(Severity.ERROR, "orphan", "VerificationToken", "token", {"token": "hidden-4"}))),
    ]
    assert not any("hidden" in text for text in texts)
    assert all("sha256:" in text for text in texts[1:])


def test_a_moment_as_a_value_is_text() -> None:
    cell = Difference(DifferenceKind.CHANGED, {"id": "v1"}, "createdAt", datetime(2026, 1, 2), None)
    document = difference_document("Vote", cell, show_values=True)
    assert (document["source"], document["target"]) == ("2026-01-02T00:00:00", None)


def test_a_run_without_a_verdict() -> None:
    assert error_document(UnreachableError("It is down.", hint="Start it.")) == {
        "ok": False,
        "exit_status": 4,
        "problem": "It is down.",
        "hint": "Start it.",
        "tables": [],
    }
    assert error_document(ConfigurationError("No."))["exit_status"] == 2


def test_findings_are_all_there() -> None:
    findings = [
        Finding(Severity.ERROR, "orphan", "Vote", "userId", {"id": f"v{n}"}, 1, "no such user") for n in range(9)
    ]
    document = error_document(FindingsError(findings))
    assert document["exit_status"] == 1
    listed = document["findings"]
    assert isinstance(listed, list)
    assert len(listed) == 9
    assert listed[0] == {
        "severity": "error",
        "kind": "orphan",
        "table": "Vote",
        "column": "userId",
        "key": {"id": "v0"},
        "count": 1,
        "detail": "no such user",
    }


def test_who_wrote_a_row_is_told_where_it_is_known() -> None:
    assert difference_document("Vote", replace(CHANGED, note="transaction 12"))["note"] == "transaction 12"
    assert "note" not in difference_document("Vote", CHANGED)


def test_a_value_that_json_does_not_know_is_text() -> None:
    cell = Difference(DifferenceKind.CHANGED, {"n": float("-inf")}, "weight", float("inf"), float("nan"))
    document = difference_document("Vote", cell, show_values=True)
    assert (document["key"], document["source"], document["target"]) == ({"n": "-inf"}, "inf", "nan")
    json.dumps(document, allow_nan=False)


def test_a_run_says_when_from_where_to_where_and_with_what() -> None:
    verdict = outcomes.outcome(outcomes.table("Vote"), outcomes.table("User"))
    document = run_document(outcomes.facts(), verdict)
    tables = document.pop("tables")
    versions = document.pop("versions")
    assert isinstance(tables, list)
    assert isinstance(versions, dict)
    assert {name: document[name] for name in ("run_id", "job", "started_at", "finished_at", "source", "target")} == {
        "run_id": outcomes.RUN_ID,
        "job": "sync",
        "started_at": "2026-12-31T23:59:57.000+00:00",
        "finished_at": "2027-01-01T00:01:12.000+00:00",
        "source": {"path": "/srv/odyssey.db"},
        "target": {"url": "postgresql://me:***@there/odyssey", "schema": "public", "server_version": "18.6"},
    }
    assert document["publication"] == {
        "id": 7,
        "by_this_run": True,
        "published_at": "2027-01-01 00:00:00+00",
        "snapshot_id": outcomes.SNAPSHOT.id,
    }
    assert versions["dagster"] == version("dagster")
    assert set(versions) == {"odyssey", "python", "dagster", "sqlite", "duckdb"}
    # Text, for most readers of JSON lose the end of a number as long as these.
    assert [table["digests"] for table in tables] == [
        {"source": "1180591620717411303425", "target": "-5", "publication": 7},
        {"source": "1180591620717411303425", "target": None, "publication": None},
    ]
    assert document["ok"] is True


def test_a_publication_of_another_run_is_not_claimed() -> None:
    facts = replace(outcomes.facts(), run_id="another")
    publication = run_document(facts, outcomes.outcome())["publication"]
    assert isinstance(publication, dict)
    assert publication["by_this_run"] is False


def test_a_run_that_got_nowhere_says_what_it_knows() -> None:
    facts = replace(outcomes.facts(), source=None, target=None)
    document = run_document(facts, ConfigurationError("No file.", hint="Name one."))
    assert (document["source"], document["target"], document["publication"]) == (None, None, None)
    assert (document["ok"], document["problem"], document["tables"]) == (False, "No file.", [])
    silent = run_document(
        outcomes.facts(target=TargetFacts("postgresql://there/", "public")), UnreachableError("Down.")
    )
    assert silent["target"] == {"url": "postgresql://there/", "schema": "public", "server_version": None}
    assert silent["publication"] is None
