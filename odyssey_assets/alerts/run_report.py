"""What a finished run tells about its job, from the report it left.

Belongs here: one observation of a job. Does not belong here: finding the runs (the Dagster layer).
"""

from collections import Counter
from typing import Any

from odyssey_assets.alerts.observation import Kind, Observation
from odyssey_assets.errors import EXIT_INTEGRITY, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE
from odyssey_assets.report.document import Document

WATCHED_JOBS = {
    "migrate": "publication",
    "sync": "publication",
    "verify": "verification",
    "preflight": "preflight",
    "watch": "watch",
    "vacuum": "vacuum",
}
"""Jobs and what they stand for: a sync that succeeds makes up for a migration that failed."""

_CAUSES = {
    EXIT_INTEGRITY: "failed",
    EXIT_USAGE: "was configured wrongly",
    EXIT_REFUSED: "was refused",
    EXIT_UNREACHABLE: "could not reach a database",
}
_BROKEN_OFF = "was broken off"
_FINDINGS_TOLD = 5


def job_observation(run_id: str, job: str, ended_at: float, *, succeeded: bool, report: Document | None) -> Observation:
    """The job's subject as this run left it. ``report`` is None where the run left none, as a killed one does."""
    cause, detail, hint = ("", "", "") if succeeded else _account(report)
    return Observation(
        kind=Kind.JOB,
        name=WATCHED_JOBS[job],
        at=ended_at,
        is_broken=not succeeded,
        detail=detail,
        hint=hint,
        cause=cause,
        run_id=run_id,
        job=job,
        snapshot_id=snapshot_of(report),
    )


def snapshot_of(report: Document | None) -> str | None:
    """The id of the snapshot a run worked from."""
    snapshot: Any = None if report is None else report.get("snapshot")
    return snapshot["id"] if snapshot else None


def _account(report: Document | None) -> tuple[str, str, str]:
    """Cause, detail and hint of a failure."""
    if report is None or report.get("ok"):
        return _BROKEN_OFF, f"the run {_BROKEN_OFF}", "See the run's log in the Dagster UI; it may have been killed."
    status: Any = report.get("exit_status")
    cause = _CAUSES.get(status, _CAUSES[EXIT_INTEGRITY])
    problem = _findings(report) or str(report.get("problem") or "")
    return cause, f"the run {cause}. {problem}".strip(), str(report.get("hint") or "")


def _findings(report: Document) -> str:
    """Objections by place and kind, for their own sentences name keys."""
    findings: Any = report.get("findings") or ()
    counts: Counter[str] = Counter()
    for finding in findings:
        if finding["severity"] == "error":
            place = ".".join(part for part in (finding["table"], finding["column"]) if part)
            counts[f"{place or 'the database'}: {finding['kind']}"] += finding["count"]
    if not counts:
        return ""
    told = "; ".join(f"{what} ({rows:,})" for what, rows in counts.most_common(_FINDINGS_TOLD))
    more = f"; and {len(counts) - _FINDINGS_TOLD} more kinds" if len(counts) > _FINDINGS_TOLD else ""
    return f"What cannot be carried: {told}{more}."
