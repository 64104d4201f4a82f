"""A run as one JSON document: the command contract of ``migrate``, ``sync`` and ``verify``.

Belongs here: the document's shape, and what of a value may be in it. Does not belong here: storing it (``store``).
"""

import math
from collections.abc import Mapping
from datetime import datetime

from odyssey_assets.compare.checks import CheckResult
from odyssey_assets.compare.differences import Difference
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY, FindingsError, OdysseyError
from odyssey_assets.findings import Finding
from odyssey_assets.model.privacy import is_secret, shown_key
from odyssey_assets.preflight.run import PreflightVerdict
from odyssey_assets.report.facts import RunFacts, TargetFacts, software_versions
from odyssey_assets.source.snapshot import Snapshot
from odyssey_assets.sync.ledger import LedgerEntry
from odyssey_assets.sync.outcome import Outcome, TableOutcome

Document = dict[str, object]


def run_document(facts: RunFacts, verdict: Outcome | OdysseyError, *, show_values: bool = False) -> Document:
    """The whole document a run leaves: its verdict, or why there is none, and what else is known of it."""
    ledger = facts.target.ledger if facts.target else {}
    return {
        "run_id": facts.run_id,
        "job": facts.job,
        "started_at": facts.started_at.isoformat(timespec="milliseconds"),
        "finished_at": facts.finished_at.isoformat(timespec="milliseconds"),
        "versions": software_versions(),
        "source": None if facts.source is None else {"path": str(facts.source)},
        "target": None if facts.target is None else _target_document(facts.target),
        "publication": None if facts.target is None else _publication_document(facts.target, facts.run_id),
        **(
            outcome_document(verdict, show_values=show_values, ledger=ledger)
            if isinstance(verdict, Outcome)
            else error_document(verdict)
        ),
    }


def outcome_document(
    outcome: Outcome, *, show_values: bool = False, ledger: Mapping[str, LedgerEntry] | None = None
) -> Document:
    """The document of a run that reached a verdict; ``ledger`` has the digests that were published."""
    entries = ledger or {}
    return {
        "ok": outcome.ok,
        "exit_status": EXIT_DONE if outcome.ok else EXIT_INTEGRITY,
        "problem": outcome.problem,
        "hint": outcome.hint,
        "source_version": f"v{outcome.source_version}",
        "snapshot": snapshot_document(outcome.snapshot),
        "tables": [
            _table_document(table, entries.get(table.name), show_values=show_values) for table in outcome.tables
        ],
        "seconds": {phase: round(seconds, 3) for phase, seconds in outcome.seconds.items()},
    }


def preflight_document(verdict: PreflightVerdict) -> Document:
    """The document of a preflight."""
    return {
        "ok": verdict.ok,
        "source": verdict.source,
        "target": verdict.target,
        "findings": [finding_document(finding) for finding in verdict.findings],
        "harmless": list(verdict.harmless),
    }


def error_document(error: OdysseyError) -> Document:
    """The document of a run that reached none."""
    document: Document = {
        "ok": False,
        "exit_status": error.exit_status,
        "problem": error.message,
        "hint": error.hint,
        "tables": [],
    }
    if isinstance(error, FindingsError):
        document["findings"] = [finding_document(finding) for finding in error.findings]
    return document


def finding_document(finding: Finding) -> Document:
    """One finding in the form the command contract gives it."""
    return {
        "severity": finding.severity,
        "kind": finding.kind,
        "table": finding.table,
        "column": finding.column,
        "key": None if finding.key is None else _plain(shown_key(finding.table, finding.key)),
        "count": finding.count,
        "detail": finding.detail,
    }


def snapshot_document(snapshot: Snapshot) -> Document:
    return {
        "id": snapshot.id,
        "sha256": snapshot.sha256,
        "taken_at": snapshot.taken_at.isoformat(),
        "bytes": snapshot.bytes,
    }


def difference_document(table: str, difference: Difference, *, show_values: bool = False) -> Document:
    """One difference: key and column always, the two values only on request and never of a secret."""
    document: Document = {"kind": difference.kind, "key": _plain(shown_key(table, difference.key))}
    if difference.column is not None:
        document["column"] = difference.column
        if show_values and not is_secret(table, difference.column):
            document |= _plain({"source": difference.source_value, "target": difference.target_value})
    if difference.note:
        document["note"] = difference.note
    return document


def _target_document(target: TargetFacts) -> Document:
    return {"url": target.url, "schema": target.schema, "server_version": target.server_version}


def _publication_document(target: TargetFacts, run_id: str) -> Document | None:
    publication = target.publication
    if publication is None:
        return None
    return {
        "id": publication.id,
        "by_this_run": publication.run_id == run_id,
        "published_at": publication.published_at,
        "snapshot_id": publication.snapshot_id,
    }


def _table_document(table: TableOutcome, entry: LedgerEntry | None, *, show_values: bool) -> Document:
    return {
        "name": table.name,
        "status": table.status,
        "source_rows": table.source_rows,
        "target_rows": table.target_rows,
        "inserted": table.inserted,
        "updated": table.updated,
        "deleted": table.deleted,
        "quarantined": table.quarantined,
        "rows_behind": table.rows_behind,
        "bytes": table.bytes,
        "seconds": round(table.seconds, 3),
        "digests": _digests(table, entry),
        "checks": [_check_document(check, show_values=show_values) for check in table.checks],
    }


def _digests(table: TableOutcome, entry: LedgerEntry | None) -> Document:
    """Digests as the ledger spells them: of the SQLite rows PostgreSQL was held against, and of what was published."""
    source = None if table.comparison is None else table.comparison.source_digest
    return {
        "source": None if source is None else str(source),
        "target": None if entry is None else str(entry.target.total),
        "publication": None if entry is None else entry.publication,
    }


def _check_document(check: CheckResult, *, show_values: bool) -> Document:
    return {
        "name": check.name,
        "passed": check.passed,
        "severity": check.severity,
        "differences": check.differences,
        "looked_at_rows": check.looked_at_rows,
        "detail": check.detail,
        "listed": [difference_document(check.table, each, show_values=show_values) for each in check.listed],
    }


def _plain(values: Mapping[str, object]) -> Document:
    return {name: _as_json(value) for name, value in values.items()}


def _as_json(value: object) -> object:
    """A cell as JSON can take it, which knows neither dates nor infinities."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
