"""The way back after the switch: SQLite becomes the truth again.

Without a write to PostgreSQL since the switch, the SQLite file still holds everything, which is proven before anything
is changed. After writes, what PostgreSQL holds is carried into a new SQLite file first (``carry_back``). Either way
nothing that was committed anywhere is lost, and PostgreSQL's writers are kept out until SQLite is the truth.

Belongs here: what is required, and the order of changes. Does not belong here: the switch (``machine``), emptying the
target afterwards (``reset``).
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odyssey_assets.carry_back.agreement import agree
from odyssey_assets.carry_back.request import CarriedBack, CarryBackRequest
from odyssey_assets.carry_back.run import carry_back
from odyssey_assets.compare.differences import Comparison
from odyssey_assets.compare.digest import DigestedRows
from odyssey_assets.compare.rows import compare_rows
from odyssey_assets.cutover import store
from odyssey_assets.cutover.certificate import certificate_path, read_certificate
from odyssey_assets.cutover.steps import Cutover, State, Step
from odyssey_assets.errors import IntegrityError, RefusedError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.prefetch import prefetched
from odyssey_assets.progress import OnProgress, Phase, Progress, counted
from odyssey_assets.source.fence import fenced, is_sealed, unseal
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.source.snapshot import kept_snapshot, take_snapshot
from odyssey_assets.source.survey import survey_table
from odyssey_assets.source.swap import Swapped, swap_in
from odyssey_assets.sync.outcome import Outcome, Request
from odyssey_assets.sync.rows import rows_not_held
from odyssey_assets.sync.run import run
from odyssey_assets.target.connection import LOCK_TIMEOUT_SECONDS
from odyssey_assets.target.reader import keep_heap_order
from odyssey_assets.target.reader import read_table as read_target
from odyssey_assets.target.table_locks import LockedTarget, writers_kept_out
from odyssey_assets.target.url import TargetUrl


@dataclass(frozen=True)
class RollbackRequest:
    """``allowed_losses`` as ``CarryBackRequest`` has them; ``base`` is a SQLite copy to start from instead of the one
    the cut-over backed up."""

    sqlite_path: Path
    target: TargetUrl
    snapshot_dir: Path
    scratch_dir: Path
    certificate_dir: Path
    carry_back_dir: Path
    ignore_unknown: frozenset[str] = frozenset()
    allowed_losses: frozenset[str] = frozenset()
    base: Path | None = None
    run_id: str = ""


@dataclass(frozen=True)
class RolledBack:
    """``was_sealed`` tells whether a seal was taken away; ``carried`` and ``swapped`` are None without a carry-back.

    ``outcome`` is the sync after a carry-back, with which the dual run goes on.
    """

    cutover: Cutover
    was_sealed: bool
    carried: CarriedBack | None = None
    swapped: Swapped | None = None
    outcome: Outcome | None = None


def roll_back(request: RollbackRequest, on_progress: OnProgress = lambda _: None) -> RolledBack:
    """Make SQLite the truth again where PostgreSQL was not written to since the switch.

    Raises RefusedError where it was, or where the SQLite file is not what the certificate says; then nothing changes.
    """
    cutover = _switched(request)
    if cutover.state is State.ROLLED_BACK:
        # Broken off between the note and the seal.
        return RolledBack(cutover, unseal(request.sqlite_path))
    with writers_kept_out(
        request.target, left_out=request.ignore_unknown, lock_timeout_seconds=LOCK_TIMEOUT_SECONDS
    ) as locked:
        keep_heap_order(locked.connection)
        snapshot = take_snapshot(request.sqlite_path, request.snapshot_dir)
        source = inspect_source(snapshot.path)
        with _scratch(request) as scratch:
            on_progress(Progress(Phase.COMPARE))
            compared = [
                _compare(snapshot.path, table, locked, scratch, on_progress)
                for table in agree(source, locked, request.ignore_unknown).tables
            ]
        _require_equal(request, cutover, compared)
        cutover = store.change_state(request.target, cutover, State.ROLLED_BACK, "nothing was written to PostgreSQL")
    return RolledBack(cutover, unseal(request.sqlite_path))


def roll_back_with_writes(request: RollbackRequest, on_progress: OnProgress = lambda _: None) -> RolledBack:
    """Carry what PostgreSQL holds into a new SQLite file, put that in the place of the old one, and go on from there.

    The old file is kept beside it. Raises OdysseyError with nothing switched where anything cannot be carried, where a
    process has the SQLite file open, or where PostgreSQL's writers do not finish.
    """
    cutover = _switched(request)
    if cutover.state is State.ROLLED_BACK:
        raise RefusedError(f"Cut-over {cutover.id} was rolled back already.", hint="Nothing was changed.")
    request.carry_back_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    new_file = request.carry_back_dir / f"carried-back-{cutover.id}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    asked = CarryBackRequest(
        target=request.target,
        base=_base(request, cutover),
        new_file=new_file,
        scratch_dir=request.scratch_dir,
        allowed_losses=request.allowed_losses,
    )
    with carry_back(asked, on_progress) as carried:
        _require_no_writes_to_sqlite(request, cutover)
        carried.require_locks_held()
        # The file before the note: a kill in between leaves a proven file and PostgreSQL as the truth, and never a
        # sync from the old file over what PostgreSQL got.
        swapped = swap_in(new_file, request.sqlite_path, label="rollback", sha256=carried.sha256)
        cutover = store.change_state(request.target, cutover, State.ROLLED_BACK, "carried back")
    outcome = run(_next_publication(request, cutover), on_progress)
    if outcome.problem:
        raise IntegrityError(
            f"SQLite is the truth again, but the first sync after it failed: {outcome.problem}", hint=outcome.hint
        )
    return RolledBack(cutover, was_sealed=False, carried=carried, swapped=swapped, outcome=outcome)


def rolled_back_before(request: RollbackRequest) -> RolledBack | None:
    """The way back that was gone already, or was never needed; None where there is one to go, or nothing was begun."""
    cutover = store.newest_cutover(request.target, rehearsals=False)
    is_over = cutover is not None and cutover.state in (State.ROLLED_BACK, State.ABORTED)
    if not is_over or store.unfinished_cutover(request.target) is not None or is_sealed(request.sqlite_path):
        return None
    assert cutover is not None
    return RolledBack(cutover, was_sealed=False)


def _switched(request: RollbackRequest) -> Cutover:
    cutover = store.newest_cutover(request.target, rehearsals=False)
    if cutover is not None and cutover.state is State.ROLLED_BACK and is_sealed(request.sqlite_path):
        return cutover
    if cutover is None or cutover.state not in (State.SWITCHED, State.FINISHED):
        unfinished = cutover is not None and cutover.state in (State.RUNNING, State.SWITCHING)
        raise RefusedError(
            "There is nothing to roll back: PostgreSQL was not made the truth.",
            hint="Give the unfinished cut-over up with odyssey cutover --abort."
            if unfinished
            else "SQLite is the truth already.",
        )
    if cutover.source_path != str(request.sqlite_path):
        raise RefusedError(
            f"Cut-over {cutover.id} was about {cutover.source_path}, not about {request.sqlite_path}.",
            hint=f"Name it with --sqlite {cutover.source_path}.",
        )
    return cutover


def _compare(
    snapshot: Path, table: CarriedTable, locked: LockedTarget, scratch: Path, on_progress: OnProgress
) -> Comparison:
    survey = survey_table(snapshot, table.name, table.kinds)
    on_progress(Progress(Phase.COMPARE, table.name, total_rows=survey.rows))
    rows = DigestedRows(table, rows_not_held(snapshot, table, survey, None))
    with prefetched(iter(rows)) as ahead:
        comparison = compare_rows(
            table,
            counted(ahead, Phase.COMPARE, table.name, on_progress),
            read_target(locked.connection, locked.catalog.schema, table),
            scratch,
        )
    return replace(comparison, source_digest=rows.digest())


def _require_equal(request: RollbackRequest, cutover: Cutover, compared: list[Comparison]) -> None:
    """SQLite holds all that PostgreSQL holds, and is the file of the certificate."""
    different = [comparison.table for comparison in compared if comparison.different_rows]
    proof = _signed_proof(request, cutover)
    moved_on = sorted(
        comparison.table
        for comparison in compared
        if str(comparison.source_digest) != proof[comparison.table]["source_digest"]
    )
    if moved_on:
        raise RefusedError(
            f"The SQLite file is not what the certificate of cut-over {cutover.id} says, in {', '.join(moved_on)}.",
            hint="Somebody wrote to it after the switch. Restore the cut-over's backup with odyssey restore "
            f"{cutover.done[Step.BACKUP].detail['backup']}, or compare by hand; nothing was changed.",
        )
    if different:
        raise RefusedError(
            f"The application has written to PostgreSQL since the switch, in {', '.join(different)}.",
            hint="Take these writes along with odyssey rollback --carry-back; nothing was changed.",
        )


def _signed_proof(request: RollbackRequest, cutover: Cutover) -> dict[str, Any]:
    """The proven tables by name: from the certificate where it is at hand, else as the target kept them."""
    path = certificate_path(request.certificate_dir, cutover)
    tables: Any = read_certificate(path)["tables"] if path.exists() else cutover.done[Step.PROOF].detail["tables"]
    return {table["name"]: table for table in tables}


def _base(request: RollbackRequest, cutover: Cutover) -> Path:
    """A finished copy of the SQLite file as it was switched."""
    if request.base is not None:
        return request.base
    backup = cutover.done[Step.BACKUP].detail
    kept = kept_snapshot(request.snapshot_dir, str(backup["snapshot"]))
    if kept is None or kept.sha256 != backup["sha256"]:
        raise RefusedError(
            f"The snapshot {backup['snapshot']} of the switch is no longer at hand, or damaged.",
            hint=f"Get it from the backup with odyssey restore {backup['backup']} --to FILE, and name it with --base.",
        )
    return kept.path


def _require_no_writes_to_sqlite(request: RollbackRequest, cutover: Cutover) -> None:
    """What somebody wrote into a released file after the switch is not in the new one, and would be lost."""
    if is_sealed(request.sqlite_path):
        return
    with fenced(request.sqlite_path, seconds=60.0, wait_seconds=5.0):
        live = take_snapshot(request.sqlite_path, request.snapshot_dir)
    if live.sha256 != cutover.done[Step.BACKUP].detail["sha256"]:
        raise RefusedError(
            f"The SQLite file {request.sqlite_path} was written to after the switch, and these writes would be lost.",
            hint="It was not sealed. Look at them before you decide; nothing was changed.",
        )


def _next_publication(request: RollbackRequest, cutover: Cutover) -> Request:
    """With it the ledger speaks of the new file, and checks and re-syncs go on as before the switch."""
    names = {table["name"] for table in _tables(cutover)}
    return Request(
        sqlite_path=request.sqlite_path,
        target=request.target,
        snapshot_dir=request.snapshot_dir,
        scratch_dir=request.scratch_dir,
        publish=frozenset(names),
        verify=frozenset(),
        ignore_unknown=request.ignore_unknown,
        applies_changes=True,
        run_id=request.run_id,
    )


def _tables(cutover: Cutover) -> list[dict[str, Any]]:
    tables: Any = cutover.done[Step.PROOF].detail["tables"]
    return list(tables)


@contextmanager
def _scratch(request: RollbackRequest) -> Iterator[Path]:
    request.scratch_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="rollback-", dir=request.scratch_dir))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
