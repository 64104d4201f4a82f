"""The documents of runs: what is in them, and what never is."""

import json
from datetime import UTC, datetime
from pathlib import Path

from odyssey_assets.compare.checks import CheckName, CheckResult
from odyssey_assets.compare.differences import Difference, DifferenceKind
from odyssey_assets.errors import ConfigurationError, FindingsError, UnreachableError
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.report.document import difference_document, error_document, finding_document, outcome_document
from odyssey_assets.source.snapshot import Snapshot
from odyssey_assets.sync.outcome import Outcome, TableOutcome, TableStatus

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
                "checks": [
                    {
                        "name": "rows_equal",
                        "passed": False,
                        "severity": "error",
                        "differences": 1,
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
