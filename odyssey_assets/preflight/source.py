"""Everything in a snapshot that PostgreSQL would object to, gathered before the first write.

Belongs here: running the examinations of the source together. Does not belong here: the examinations, or the target's
readiness (``readiness``, ``parity``).
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.preflight.keys import children_of_held_rows, key_objections
from odyssey_assets.preflight.objections import Objection, Rowids, findings_of, rows_by_table
from odyssey_assets.preflight.outside_parents import OutsideParents
from odyssey_assets.preflight.references_met import ReferencesMet
from odyssey_assets.preflight.scan import scan_table
from odyssey_assets.preflight.soft_references import soft_reference_findings
from odyssey_assets.progress import OnProgress, Phase, Progress
from odyssey_assets.source.inspection import SourceCatalog
from odyssey_assets.source.snapshot import open_snapshot
from odyssey_assets.source.soundness import quick_check
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.target.catalog import TargetCatalog

_NOTHING_OUTSIDE = OutsideParents()


@dataclass(frozen=True)
class SourceExamination:
    """``objections`` are rows that cannot be carried, ``row_findings`` tell of them, ``other_findings`` of the rest."""

    objections: tuple[Objection, ...]
    row_findings: tuple[Finding, ...]
    other_findings: tuple[Finding, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.other_findings + self.row_findings

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """Errors that no holding back of rows can get around."""
        return tuple(finding for finding in self.other_findings if finding.severity is Severity.ERROR)

    @property
    def rows_held_back(self) -> dict[str, Rowids]:
        return rows_by_table(self.objections)


def examine_source(
    snapshot: Path,
    source: SourceCatalog,
    target: TargetCatalog,
    tables: Iterable[CarriedTable],
    surveys: Mapping[str, TableSurvey],
    on_progress: OnProgress,
    outside: OutsideParents = _NOTHING_OUTSIDE,
) -> SourceExamination:
    """Read the snapshot once and ask SQLite about the file meanwhile; rows are objected to with all their descendants.

    ``outside`` are rows whose parents are in tables that the run leaves out.
    """
    asked_for = {table.name: table for table in tables}
    by_name = {name: table for name, table in asked_for.items() if source.tables[name].has_rowid}
    without_rowid = tuple(map(_without_rowid, asked_for.keys() - by_name.keys()))
    met = ReferencesMet(target, by_name)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="file") as side:
        asked = side.submit(_ask_sqlite, snapshot, source, by_name)
        objections = list(_scan(snapshot, by_name, surveys, target, met, on_progress))
        is_damaged, of_file = asked.result()
    with open_snapshot(snapshot) as connection:
        if not is_damaged:
            objections += key_objections(connection, source, target, by_name, met)
        objections += outside.held_back
        objections += children_of_held_rows(connection, target, by_name, rows_by_table(objections))
    row_findings = findings_of(objections, snapshot, by_name)
    of_run = (*_migration_findings(source), *without_rowid, *findings_of(outside.unpublished, snapshot, by_name))
    return SourceExamination(tuple(objections), row_findings, (*of_run, *of_file))


def damage_findings(snapshot: Path) -> tuple[Finding, ...]:
    """What SQLite itself finds wrong with the file."""
    return tuple(
        Finding(Severity.ERROR, "damaged_file", detail=f"quick_check says: {message}")
        for message in quick_check(snapshot)
    )


def _scan(
    snapshot: Path,
    tables: Mapping[str, CarriedTable],
    surveys: Mapping[str, TableSurvey],
    target: TargetCatalog,
    met: ReferencesMet,
    on_progress: OnProgress,
) -> Iterable[Objection]:
    for name, table in tables.items():
        on_progress(Progress(Phase.PREFLIGHT, name, total_rows=surveys[name].rows))
        for step in scan_table(snapshot, table, surveys[name], target.tables[name], met.add):
            if isinstance(step, Objection):
                yield step
            else:
                on_progress(Progress(Phase.PREFLIGHT, name, rows=step))


def _ask_sqlite(
    snapshot: Path, source: SourceCatalog, tables: Mapping[str, CarriedTable]
) -> tuple[bool, tuple[Finding, ...]]:
    """Whether the file is damaged, and the findings of that or about its soft references."""
    damage = damage_findings(snapshot)
    if damage:
        return True, damage
    with open_snapshot(snapshot) as connection:
        return False, tuple(soft_reference_findings(connection, source, tables))


def _without_rowid(table: str) -> Finding:
    return Finding(
        Severity.ERROR,
        "table_without_rowid",
        table,
        detail="a WITHOUT ROWID table, as Prisma never makes one: rows that cannot be carried could not be held back; "
        "copy it into an ordinary table",
    )


def _migration_findings(source: SourceCatalog) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            Severity.ERROR,
            "unfinished_migration",
            "_prisma_migrations",
            detail=f"the Prisma migration {name} began and did not finish, so the schema may be half-way; resolve it "
            "with prisma migrate resolve",
        )
        for name in source.unfinished_migrations
    )
