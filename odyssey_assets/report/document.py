"""A run as one JSON document: the command contract of ``migrate``, ``sync`` and ``verify``.

Belongs here: the document's shape, and what of a value may be in it. Does not belong here: storing it (``store``).
"""

from collections.abc import Mapping
from datetime import datetime

from odyssey_assets.compare.checks import CheckResult
from odyssey_assets.compare.differences import Difference
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY, FindingsError, OdysseyError
from odyssey_assets.findings import Finding
from odyssey_assets.model.privacy import is_secret, shown_key
from odyssey_assets.preflight.run import PreflightVerdict
from odyssey_assets.source.snapshot import Snapshot
from odyssey_assets.sync.outcome import Outcome, TableOutcome

Document = dict[str, object]


def outcome_document(outcome: Outcome, *, show_values: bool = False) -> Document:
    """The document of a run that reached a verdict."""
    return {
        "ok": outcome.ok,
        "exit_status": EXIT_DONE if outcome.ok else EXIT_INTEGRITY,
        "problem": outcome.problem,
        "hint": outcome.hint,
        "source_version": f"v{outcome.source_version}",
        "snapshot": snapshot_document(outcome.snapshot),
        "tables": [_table_document(table, show_values=show_values) for table in outcome.tables],
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
    return document


def _table_document(table: TableOutcome, *, show_values: bool) -> Document:
    return {
        "name": table.name,
        "status": table.status,
        "source_rows": table.source_rows,
        "target_rows": table.target_rows,
        "inserted": table.inserted,
        "updated": table.updated,
        "deleted": table.deleted,
        "quarantined": table.quarantined,
        "bytes": table.bytes,
        "seconds": round(table.seconds, 3),
        "checks": [_check_document(check, show_values=show_values) for check in table.checks],
    }


def _check_document(check: CheckResult, *, show_values: bool) -> Document:
    return {
        "name": check.name,
        "passed": check.passed,
        "severity": check.severity,
        "differences": check.differences,
        "detail": check.detail,
        "listed": [difference_document(check.table, each, show_values=show_values) for each in check.listed],
    }


def _plain(values: Mapping[str, object]) -> Document:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
