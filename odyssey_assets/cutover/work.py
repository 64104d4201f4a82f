"""What each step of a cut-over does, given what the steps before it found.

Belongs here: calling the engine, and what a step has to tell. Does not belong here: order, state and resuming
(``machine``), or the engine.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from odyssey_assets.backup.sqlite import keep_snapshot
from odyssey_assets.cutover.request import CutoverRequest
from odyssey_assets.cutover.smoke import ask_pages, run_queries
from odyssey_assets.cutover.steps import Detail
from odyssey_assets.errors import FindingsError, IntegrityError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import PRISMA_BOOKKEEPING, tables_in_order
from odyssey_assets.preflight.run import PreflightRequest, run_preflight
from odyssey_assets.progress import OnProgress
from odyssey_assets.source.snapshot import Snapshot, take_snapshot
from odyssey_assets.source.soundness import require_whole
from odyssey_assets.sync.ledger import read_ledger
from odyssey_assets.sync.outcome import Outcome, Request, TableOutcome, TableStatus
from odyssey_assets.sync.run import run
from odyssey_assets.target.catalog import read_catalog
from odyssey_assets.target.connection import commit, connect, execute, query
from odyssey_assets.target.sequences import owned_sequences, set_beyond_rows

ALL_TABLES = frozenset(table.name for table in tables_in_order())


def look_ahead(request: CutoverRequest, on_progress: OnProgress) -> Detail:
    """Preflight. Raises FindingsError where anything stands in the way."""
    verdict = run_preflight(
        PreflightRequest(
            request.sqlite_path, request.target, request.snapshot_dir, ignore_unknown=request.ignore_unknown
        ),
        on_progress,
    )
    if not verdict.ok:
        raise FindingsError(verdict.findings)
    return {"warnings": len(verdict.findings)}


def sync_ahead(request: CutoverRequest, on_progress: OnProgress) -> Detail:
    """A sync while the application still writes, so that little is left for the final one."""
    return _told(_run(_sync_request(request, None), on_progress))


def back_up(request: CutoverRequest, snapshot: Snapshot, note: str) -> Detail:
    """Keep the snapshot that everything after this is about, so that it can be restored."""
    manifest = keep_snapshot(snapshot, request.backup_dir, pinned=True, note=note)
    return {"backup": manifest.id, "snapshot": snapshot.id, "sha256": snapshot.sha256, "bytes": snapshot.bytes}


def take_final_snapshot(request: CutoverRequest) -> Snapshot:
    """What the source holds behind the fence."""
    return take_snapshot(request.sqlite_path, request.snapshot_dir)


def final_sync(request: CutoverRequest, snapshot: Snapshot, on_progress: OnProgress) -> Detail:
    """Publish the final snapshot."""
    return _told(_run(_sync_request(request, snapshot), on_progress))


def prove(request: CutoverRequest, snapshot: Snapshot, on_progress: OnProgress) -> Detail:
    """Both sides read in full and compared, while SQLite's own integrity_check reads every page and index.

    Raises IntegrityError where anything differs, is held back, or was published from another snapshot.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="integrity") as side:
        soundness = side.submit(require_whole, snapshot.path)
        outcome = _run(replace(_request(request, snapshot), verify=ALL_TABLES, asks_sqlite=False), on_progress)
        soundness.result()
    compared = [table for table in outcome.tables if table.status is not TableStatus.ABSENT]
    _require_nothing_left(compared)
    history = f"{quoted(request.target.schema)}.{quoted(PRISMA_BOOKKEEPING)}"
    with connect(request.target, read_only=True) as connection:
        ledger = read_ledger(connection, request.target.schema)
        (there,) = query(connection, "SELECT to_regclass($1) IS NOT NULL AS has_history", [history])
    return {
        **_told(outcome),
        "source_version": f"v{outcome.source_version}",
        "integrity_check": "ok",
        "has_prisma_history": bool(there["has_history"]),
        "checks": sum(len(table.checks) for table in compared),
        "tables": [
            {
                "name": table.name,
                "rows": table.source_rows,
                "source_digest": str(ledger[table.name].source_digest),
                "target_digest": str(ledger[table.name].target.total),
                "publication": ledger[table.name].publication,
            }
            for table in compared
        ],
    }


def _require_nothing_left(compared: Iterable[TableOutcome]) -> None:
    behind = [table.name for table in compared if table.rows_behind != 0]
    held = [table.name for table in compared if table.quarantined]
    if behind or held:
        reason = "is not what was published last" if behind else "has rows in quarantine, which would stay behind"
        raise IntegrityError(
            f"{', '.join(behind or held)} {reason}.", hint="Mend the rows in SQLite, sync, and begin again."
        )


def set_sequences(request: CutoverRequest) -> Detail:
    """Let the sequences of the target, where it has any, go on after the rows that were carried."""
    with connect(request.target) as connection:
        found = owned_sequences(connection, request.target.schema, ALL_TABLES)
        values = {each.sequence: set_beyond_rows(connection, request.target.schema, each) for each in found}
        commit(connection)
    return {"sequences": values}


def analyze(request: CutoverRequest) -> Detail:
    """Fresh statistics, so that the first queries of the day get good plans."""
    with connect(request.target) as connection:
        tables = sorted(read_catalog(connection, request.target.schema).tables.keys() & ALL_TABLES)
        for table in tables:
            execute(connection, f"ANALYZE {quoted(request.target.schema)}.{quoted(table)}")
        commit(connection)
    return {"tables": len(tables)}


def smoke_test(request: CutoverRequest) -> Detail:
    """The application's main queries, then its pages."""
    tests = (*run_queries(request.target), *ask_pages(request.url_checks, request.smoke_seconds))
    return {
        "tests": [
            {
                "name": test.name,
                "passed": test.passed,
                "detail": test.detail,
                "milliseconds": round(test.milliseconds, 1),
            }
            for test in tests
        ]
    }


def failed_smoke_tests(detail: Detail) -> tuple[str, ...]:
    """Those that failed, each with what it said."""
    tests: Any = detail["tests"]
    return tuple(f"{test['name']}: {test['detail']}" for test in tests if test["passed"] is False)


def _request(request: CutoverRequest, snapshot: Snapshot | None) -> Request:
    return Request(
        sqlite_path=request.sqlite_path,
        target=request.target,
        snapshot_dir=request.snapshot_dir,
        scratch_dir=request.scratch_dir,
        publish=frozenset(),
        verify=frozenset(),
        ignore_unknown=request.ignore_unknown,
        run_id=request.run_id,
        snapshot=snapshot,
    )


def _sync_request(request: CutoverRequest, snapshot: Snapshot | None) -> Request:
    return replace(_request(request, snapshot), publish=ALL_TABLES, applies_changes=True)


def _run(request: Request, on_progress: OnProgress) -> Outcome:
    outcome = run(request, on_progress)
    if outcome.problem:
        raise IntegrityError(outcome.problem, hint=outcome.hint)
    return outcome


def _told(outcome: Outcome) -> Detail:
    return {
        "rows": sum(table.source_rows for table in outcome.tables),
        "inserted": sum(table.inserted for table in outcome.tables),
        "updated": sum(table.updated for table in outcome.tables),
        "deleted": sum(table.deleted for table in outcome.tables),
    }
