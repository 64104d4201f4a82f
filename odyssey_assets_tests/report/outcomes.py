"""Runs that have ended, made by hand: what the tests of documents and pages are about.

Belongs here: outcomes and facts. Does not belong here: what is expected of their reports.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from odyssey_assets.compare.checks import CheckName, CheckResult
from odyssey_assets.compare.differences import Comparison, Difference, DifferenceKind
from odyssey_assets.findings import Severity
from odyssey_assets.report.facts import RunFacts, TargetFacts
from odyssey_assets.source.snapshot import Snapshot
from odyssey_assets.sync.ledger import LedgerEntry, Publication
from odyssey_assets.sync.outcome import Outcome, TableOutcome, TableStatus
from odyssey_assets.target.digests import TargetDigest

RUN_ID = "0b1c2d3e-0000-4000-8000-000000000001"
BEGAN = datetime(2026, 12, 31, 23, 59, 57, tzinfo=UTC)
TAKEN = datetime(2026, 12, 31, 23, 59, 58, 123456, tzinfo=UTC)
SNAPSHOT = Snapshot("20261231T235958123456Z-abcdef", Path("folder/snapshot.db"), "ab" * 32, TAKEN, 4096)
CHANGED = Difference(DifferenceKind.CHANGED, {"id": "v1"}, "weight", 1.0, 2.0)
PUBLICATION = Publication(
    7, SNAPSHOT.id, SNAPSHOT.sha256, 4096, RUN_ID, "2027-01-01 00:00:00+00", "identity", (), 7, True
)


def check(
    name: CheckName, *listed: Difference, table: str = "Vote", severity: Severity = Severity.ERROR, detail: str = "seen"
) -> CheckResult:
    """A verdict that passes exactly when it lists nothing."""
    return CheckResult(table, name, not listed, len(listed), 7, detail, severity, listed)


def table(
    name: str = "Vote", *checks: CheckResult, status: TableStatus = TableStatus.SYNCED, **counts: Any
) -> TableOutcome:
    comparison = Comparison(name, ("id", "weight"), 7, 7, {}, {}, source_digest=2**70 + 1)
    return TableOutcome(
        name, status, source_rows=7, target_rows=7, checks=checks, seconds=0.12349, comparison=comparison, **counts
    )


def outcome(*tables: TableOutcome, problem: str | None = None) -> Outcome:
    return Outcome(SNAPSHOT, 5, tables, {"load": 1.23456, "proof": 2.5}, problem, "Do this." if problem else "")


def facts(job: str = "sync", *, target: TargetFacts | None = None) -> RunFacts:
    """A run of 75 seconds; its target is asked and answers unless another is given."""
    entry = LedgerEntry(
        "Vote", 7, SNAPSHOT.id, 4096, SNAPSHOT.sha256, 180006, ("id",), 7, 0, 1, TargetDigest(7, -5), {}
    )
    asked = TargetFacts("postgresql://me:***@there/odyssey", "public", "18.6", PUBLICATION, {"Vote": entry})
    return RunFacts(RUN_ID, job, BEGAN, BEGAN + timedelta(seconds=75), Path("/srv/odyssey.db"), target or asked)
