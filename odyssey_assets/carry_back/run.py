"""Going back after PostgreSQL was written to: a new SQLite file that holds what PostgreSQL holds, proven cell by cell.

Belongs here: the order of the steps, all within the one transaction that keeps PostgreSQL's writers out. Does not
belong here: the steps, or putting the new file in the place of the old one (``source.swap``).
"""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.carry_back.agreement import Agreement, agree
from odyssey_assets.carry_back.changes import TableChange, compare_table
from odyssey_assets.carry_back.held_rows import held_rows
from odyssey_assets.carry_back.losses import require_holdable
from odyssey_assets.carry_back.new_file import finish, require_finished, unfinished_copy
from odyssey_assets.carry_back.proof import broken_references, require_equal, require_held_rows, require_integrity
from odyssey_assets.carry_back.request import CarriedBack, CarryBackRequest, TableCarriedBack
from odyssey_assets.carry_back.rewrite import rewrite
from odyssey_assets.carry_back.stored_values import date_forms
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.preflight.objections import Rowids
from odyssey_assets.progress import OnProgress, Phase, Progress
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.source.snapshot import file_sha256
from odyssey_assets.source.soundness import BrokenReference
from odyssey_assets.source.survey import TableSurvey, survey_table
from odyssey_assets.sync.session import timed
from odyssey_assets.target.reader import keep_heap_order
from odyssey_assets.target.table_locks import LockedTarget, writers_kept_out

SURVEYED_AT_A_TIME = 2


@contextmanager
def carry_back(request: CarryBackRequest, on_progress: OnProgress = lambda _: None) -> Iterator[CarriedBack]:
    """Write and prove the new file; until the block ends nobody else can write to PostgreSQL.

    The new file has its name only when it is proven, and stays whatever the block does. Raises OdysseyError, and leaves
    no file, where PostgreSQL holds what SQLite cannot, writers do not finish, or anything differs in the end.
    """
    require_finished(request.base)
    base = inspect_source(request.base)
    with writers_kept_out(
        request.target, left_out=request.allowed_losses, lock_timeout_seconds=request.lock_timeout_seconds
    ) as target:
        keep_heap_order(target.connection)
        agreement = agree(base, target, request.allowed_losses)
        held = held_rows(request.base, base, target)
        yield _Work(request, target, agreement, held, on_progress, {}).done()


@dataclass(frozen=True)
class _Work:
    """What the steps share; ``seconds`` fills up by phase."""

    request: CarryBackRequest
    target: LockedTarget
    agreement: Agreement
    held: dict[str, Rowids]
    on_progress: OnProgress
    seconds: dict[str, float]

    def done(self) -> CarriedBack:
        request = self.request
        with self._phase(Phase.PREFLIGHT):
            require_holdable(self.target, self.agreement.tables, request.allowed_losses)
        with unfinished_copy(request.base, request.new_file) as partial, self._scratch() as scratch:
            surveys = self._surveys(request.base)
            with self._phase(Phase.COMPARE):
                changes = self._compared(request.base, surveys, scratch, Phase.COMPARE)
            self._write(partial, changes, surveys, scratch)
            proofs, broken = self._proven(partial, scratch)
            digest = file_sha256(partial)
            finish(partial, request.new_file)
        return CarriedBack(
            new_file=request.new_file,
            sha256=digest,
            bytes=request.new_file.stat().st_size,
            tables=tuple(map(_told, changes, proofs)),
            stayed=self.agreement.stayed,
            broken_references=broken,
            seconds=self.seconds,
            connection=self.target.connection,
        )

    def _surveys(self, file: Path) -> dict[str, TableSurvey]:
        with self._phase(Phase.SURVEY), ThreadPoolExecutor(SURVEYED_AT_A_TIME, "survey") as pool:
            found = pool.map(lambda table: survey_table(file, table.name, table.kinds), self.agreement.tables)
            return {survey.table: survey for survey in found}

    def _compared(self, file: Path, surveys: dict[str, TableSurvey], scratch: Path, phase: Phase) -> list[TableChange]:
        return [self._compare(file, table, surveys[table.name], scratch, phase) for table in self.agreement.tables]

    def _compare(
        self, file: Path, table: CarriedTable, survey: TableSurvey, scratch: Path, phase: Phase
    ) -> TableChange:
        return compare_table(
            file,
            table,
            survey,
            self.held.get(table.name),
            self.target,
            allowed=self.request.allowed_losses,
            scratch=scratch,
            phase=phase,
            on_progress=self.on_progress,
        )

    def _write(self, partial: Path, changes: list[TableChange], surveys: dict[str, TableSurvey], scratch: Path) -> None:
        differing = [change for change in changes if change.differences is not None]
        with self._phase(Phase.APPLY):
            names = frozenset(change.table.name for change in differing)
            forms = date_forms(self.request.base, surveys.values(), names)
            rewrite(partial, differing, forms, self.target, allowed=self.request.allowed_losses, scratch=scratch)

    def _proven(self, partial: Path, scratch: Path) -> tuple[list[TableChange], tuple[BrokenReference, ...]]:
        surveys = self._surveys(partial)
        base, held = self.request.base, self.held
        # SQLite's own checks take as long as reading both sides, and leave Python's lock alone.
        with self._phase(Phase.PROOF), ThreadPoolExecutor(1, "integrity") as side:
            integrity = side.submit(require_integrity, partial)
            references = side.submit(broken_references, partial, base, held)
            proofs = self._compared(partial, surveys, scratch, Phase.PROOF)
            for proof in proofs:
                require_equal(proof)
            require_held_rows(partial, base, held)
            integrity.result()
            broken = references.result()
        return proofs, broken

    @contextmanager
    def _phase(self, phase: Phase) -> Iterator[None]:
        self.on_progress(Progress(phase))
        with timed(self.seconds, phase):
            yield

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        self.request.scratch_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(prefix="carry-back-", dir=self.request.scratch_dir))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _told(change: TableChange, proof: TableChange) -> TableCarriedBack:
    return TableCarriedBack(
        name=change.table.name,
        rows=proof.comparison.target_rows,
        held_rows=0 if change.held is None else len(change.held),
        inserted=change.comparison.extra_rows,
        updated=change.comparison.changed_rows,
        deleted=change.comparison.missing_rows,
        differences=proof.comparison.different_rows,
    )
