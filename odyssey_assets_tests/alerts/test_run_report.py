"""What a run's report makes of its job's observation."""

import pytest

from odyssey_assets.alerts.run_report import job_observation
from odyssey_assets.errors import ConfigurationError, FindingsError, OdysseyError, RefusedError, UnreachableError
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.report.document import Document, error_document
from odyssey_assets_tests.alerts.observing import NOON


def observed(report: Document | None, *, succeeded: bool = False) -> tuple[str, str, str]:
    found = job_observation("run-a", "sync", NOON, succeeded=succeeded, report=report)
    assert (found.subject, found.run_id, found.job, found.at) == ("job:publication", "run-a", "sync", NOON)
    assert found.is_broken is not succeeded
    return found.cause, found.detail, found.hint


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OdysseyError("Row lost.", hint="Look."), "failed"),
        (ConfigurationError("Row lost.", hint="Look."), "was configured wrongly"),
        (RefusedError("Row lost.", hint="Look."), "was refused"),
        (UnreachableError("Row lost.", hint="Look."), "could not reach a database"),
    ],
)
def test_the_exit_status_is_the_cause(error: OdysseyError, cause: str) -> None:
    assert observed(error_document(error)) == (cause, f"the run {cause}. Row lost.", "Look.")


def test_findings_are_counted_and_their_rows_not_named() -> None:
    findings = [
        Finding(Severity.ERROR, "orphan", "Vote", "userId", {"id": "secret-1"}, 1, "points to 'secret-2'"),
        Finding(Severity.ERROR, "orphan", "Vote", "userId", None, 41, "points to 'secret-2' (41 more rows)"),
        Finding(Severity.WARNING, "dangling", "AuditLog", "userId", None, 9, "secret-3"),
        Finding(Severity.ERROR, "migration", detail="secret-4"),
    ]
    _, detail, _ = observed(error_document(FindingsError(findings)))
    assert detail == "the run failed. What cannot be carried: Vote.userId: orphan (42); the database: migration (1)."


def test_a_run_without_a_report_was_broken_off() -> None:
    assert observed(None)[:2] == ("was broken off", "the run was broken off")
    assert observed({"ok": True, "tables": []})[0] == "was broken off"


def test_a_success_tells_nothing() -> None:
    assert observed({"ok": True}, succeeded=True) == ("", "", "")


def test_a_sync_makes_up_for_a_migration_and_verify_for_neither() -> None:
    subjects = {
        job: job_observation("r", job, NOON, succeeded=True, report=None).subject
        for job in ("migrate", "sync", "verify", "preflight")
    }
    assert subjects["migrate"] == subjects["sync"]
    assert len(set(subjects.values())) == 3


def test_the_snapshot_is_named() -> None:
    report: Document = {"ok": True, "snapshot": {"id": "s1"}}
    assert job_observation("r", "sync", NOON, succeeded=True, report=report).snapshot_id == "s1"
