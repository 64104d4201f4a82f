"""The proof of one table: both sides read in full, compared cell by cell, and judged by every check.

Belongs here: bringing the two readers, the comparison and the checks together. Does not belong here: changing rows.
"""

import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Table

from odyssey_assets.compare.checks import check_schema, check_source, check_table
from odyssey_assets.compare.differences import Comparison
from odyssey_assets.compare.rows import compare_rows
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.columns import metadata
from odyssey_assets.model.schema import NEWEST_VERSION, enums_of, parents_of, schema_of_version
from odyssey_assets.preflight.parity import parity_findings
from odyssey_assets.progress import Phase, Progress, counted
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.sync.outcome import TableOutcome, TableStatus
from odyssey_assets.sync.rows import RowsAhead, carried_row_count
from odyssey_assets.sync.session import Session
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.foreign_keys import foreign_key_facts
from odyssey_assets.target.reader import TargetRows


def prove_table(
    session: Session,
    catalog: TargetCatalog,
    table: CarriedTable,
    survey: TableSurvey,
    rows: RowsAhead,
    *,
    phase: Phase,
    status: TableStatus,
    keep: Path | None = None,
    with_target_digest: bool = False,
) -> TableOutcome:
    """Read the target in full, compare it with ``rows``, those of the source that are carried, and judge.

    The status given stands if every check passes, else it is DIFFERS. ``keep`` is a file that every difference is kept
    in, for applying; ``with_target_digest`` has the server make its digest of the table in the same pass.
    """
    began = time.perf_counter()
    session.on_progress(Progress(phase, table.name, total_rows=survey.rows))
    target = TargetRows(session.connection, session.schema, table, with_digest=with_target_digest)
    comparison = compare_rows(
        table,
        counted(rows.batches, phase, table.name, session.on_progress),
        iter(target),
        session.request.scratch_dir,
        keep=keep,
    )
    comparison = replace(comparison, source_digest=rows.digest(), target_digest=target.digest())
    carried = carried_row_count(session, table, survey)
    outcome = judge(session, catalog, table, comparison, carried, status=status)
    return replace(outcome, seconds=time.perf_counter() - began)


def judge(
    session: Session,
    catalog: TargetCatalog,
    table: CarriedTable,
    comparison: Comparison,
    snapshot_rows: int,
    *,
    status: TableStatus,
    counts_orphans: bool = True,
) -> TableOutcome:
    """Every check over a comparison, however it was made. ``snapshot_rows`` are those that are carried."""
    held_rows = len(session.held_back.get(table.name, ()))
    facts = foreign_key_facts(
        session.connection, catalog, _declared(session, table.name), counts_orphans=counts_orphans
    )
    source_facts = session.source_facts[table.name]
    checks = (
        *check_table(table, snapshot_rows, comparison, facts, held_rows=held_rows),
        check_schema(comparison, _parity(session, catalog, table.name)),
        *check_source(source_facts),
    )
    passed = all(check.passed or check.severity is Severity.WARNING for check in checks)
    return TableOutcome(
        name=table.name,
        status=status if passed else TableStatus.DIFFERS,
        source_rows=comparison.source_rows,
        target_rows=comparison.target_rows,
        missing_rows=comparison.missing_rows,
        extra_rows=comparison.extra_rows,
        changed_rows=comparison.changed_rows,
        quarantined=held_rows,
        checks=checks,
        carried=table,
        comparison=comparison,
        source_facts=source_facts,
    )


def _parity(session: Session, catalog: TargetCatalog, table: str) -> tuple[Finding, ...]:
    """How one table, with the enums it uses, differs from what Prisma makes of the source's version."""
    declared = _declared(session, table)
    version = session.source.version if table in schema_of_version(session.source.version).tables else NEWEST_VERSION
    enums = {str(enum.name) for enum in enums_of(declared).values()}
    around = {table, *parents_of(declared)}
    part = replace(
        catalog,
        tables={name: each for name, each in catalog.tables.items() if name in around},
        enums={name: labels for name, labels in catalog.enums.items() if name in enums},
    )
    return tuple(finding for finding in parity_findings(part, version) if finding.table in (table, ""))


def _declared(session: Session, table: str) -> Table:
    """The table as the source's version has it; a file between two versions may hold one that only newer ones have."""
    return schema_of_version(session.source.version).tables.get(table, metadata.tables[table])
