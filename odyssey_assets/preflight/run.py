"""The whole preflight: source and target looked at, nothing changed, every finding in one verdict.

Belongs here: putting the examinations together. Does not belong here: the examinations.
"""

import sqlite3
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.compare.pairing import pair
from odyssey_assets.errors import IntegrityError
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.preflight.outside_parents import OutsideParents, look_for_outside_parents
from odyssey_assets.preflight.parity import harmless_differences, parity_findings
from odyssey_assets.preflight.readiness import readiness_findings, target_facts
from odyssey_assets.preflight.source import damage_findings, examine_source
from odyssey_assets.progress import OnProgress, Phase, Progress
from odyssey_assets.source.inspection import SourceCatalog, inspect_source
from odyssey_assets.source.snapshot import Snapshot, take_snapshot
from odyssey_assets.source.survey import survey_table
from odyssey_assets.target.catalog import TargetCatalog, read_catalog
from odyssey_assets.target.catalog_to_be import catalog_to_be
from odyssey_assets.target.connection import connect
from odyssey_assets.target.url import TargetUrl

SURVEYED_AT_A_TIME = 2
"""SQLite counts without Python's lock: two tables at a time took 0.65 x the time of one on two cores."""

SPACE_FACTOR = 3
"""PostgreSQL's tables, indexes and write-ahead log together take up to three times the SQLite file (measured: 2.4)."""


@dataclass(frozen=True)
class PreflightRequest:
    """``tables`` None means all; ``data_dir`` is the server's data folder where it is on this machine."""

    sqlite_path: Path
    target: TargetUrl
    snapshot_dir: Path
    tables: frozenset[str] | None = None
    ignore_unknown: frozenset[str] = frozenset()
    data_dir: Path | None = None


@dataclass(frozen=True)
class PreflightVerdict:
    """``target`` and ``source`` are facts for the report; ``harmless`` differences of the schema need no finding."""

    snapshot: Snapshot
    source: dict[str, object]
    target: dict[str, object]
    findings: tuple[Finding, ...]
    harmless: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


def run_preflight(request: PreflightRequest, on_progress: OnProgress = lambda _: None) -> PreflightVerdict:
    """Look at everything once. Raises OdysseyError where source or target cannot be looked at at all."""
    with connect(request.target, read_only=True) as connection:
        on_progress(Progress(Phase.SNAPSHOT))
        snapshot = take_snapshot(request.sqlite_path, request.snapshot_dir)
        source = inspect_source(snapshot.path)
        found = read_catalog(connection, request.target.schema)
        will_create = not found.tables.keys() & source.tables.keys()
        target = catalog_to_be(request.target.schema, source.version) if will_create else found
        on_progress(Progress(Phase.SCHEMA))
        pairing = pair(source, target, request.ignore_unknown)
        of_target = readiness_findings(
            connection,
            request.target,
            found,
            needed_bytes=snapshot.bytes * SPACE_FACTOR,
            data_dir=request.data_dir,
            will_create=will_create,
            absent=pairing.absent,
        )
        facts = target_facts(connection, request.target, found)
    tables = [table for table in pairing.tables if table.columns and _is_wanted(table, request.tables)]
    rows, of_source = _look_at_rows(request, found, snapshot.path, source, target, tables, on_progress)
    return PreflightVerdict(
        snapshot,
        _source_facts(snapshot, source, pairing.absent, rows),
        facts | {"will_create_tables": will_create},
        (
            *pairing.findings,
            *of_target,
            *(() if will_create else parity_findings(found, source.version)),
            *of_source,
        ),
        () if will_create else harmless_differences(found, source.version),
    )


def _is_wanted(table: CarriedTable, wanted: frozenset[str] | None) -> bool:
    return wanted is None or table.name in wanted


def _look_at_rows(
    request: PreflightRequest,
    found: TargetCatalog,
    snapshot: Path,
    source: SourceCatalog,
    target: TargetCatalog,
    tables: list[CarriedTable],
    on_progress: OnProgress,
) -> tuple[int, tuple[Finding, ...]]:
    """The number of rows and the findings about them; of a file that cannot be read, only what SQLite says of it."""
    try:
        on_progress(Progress(Phase.SURVEY))
        with ThreadPoolExecutor(SURVEYED_AT_A_TIME, "survey") as pool:
            counted = pool.map(lambda table: survey_table(snapshot, table.name, table.kinds), tables)
            surveys = {survey.table: survey for survey in counted}
        on_progress(Progress(Phase.PREFLIGHT))
        outside = _outside_parents(request, found, snapshot, source, target, tables)
        examination = examine_source(snapshot, source, target, tables, surveys, on_progress, outside)
    except (sqlite3.DatabaseError, IntegrityError):
        damage = damage_findings(snapshot)
        if not damage:
            raise
        return 0, damage
    return sum(survey.rows for survey in surveys.values()), examination.findings


def _outside_parents(
    request: PreflightRequest,
    found: TargetCatalog,
    snapshot: Path,
    source: SourceCatalog,
    target: TargetCatalog,
    tables: list[CarriedTable],
) -> OutsideParents:
    if request.tables is None:
        return OutsideParents()
    with connect(request.target, read_only=True) as connection:
        return look_for_outside_parents(connection, found, snapshot, source, target, tables, request.tables)


def _source_facts(snapshot: Snapshot, source: SourceCatalog, absent: Iterable[str], rows: int) -> dict[str, object]:
    return {
        "snapshot": {"id": snapshot.id, "sha256": snapshot.sha256, "bytes": snapshot.bytes},
        "schema_version": f"v{source.version}",
        "tables": len(source.tables),
        "rows": rows,
        "absent_tables": sorted(absent),
        "migrations": list(source.migrations),
    }
