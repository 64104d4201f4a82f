"""Bringing tables that hold rows already in step, at a cost that follows the change.

Belongs here: the order of a re-sync's steps. Does not belong here: the steps (``delta``, ``tampering``, ``apply``,
``prove``, ``prove_delta``), or the first publication (``publish``).
"""

import errno
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from odyssey_assets.errors import UnreachableError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.preflight.objections import Objection
from odyssey_assets.progress import Phase
from odyssey_assets.scratch import scratch_folder
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.sync.apply import TableChanges, apply_staged, stage_changes
from odyssey_assets.sync.delta import QuickTable, page_changes, quick_tables
from odyssey_assets.sync.examine import survey_and_examine, survey_tables
from odyssey_assets.sync.guards import refuse_large_deletes, refuse_tampering
from odyssey_assets.sync.ledger import read_ledger
from odyssey_assets.sync.outcome import OnTamper, TableOutcome, TableStatus
from odyssey_assets.sync.prove import judge, prove_table
from odyssey_assets.sync.prove_delta import digest_before, prove_changed_rows
from odyssey_assets.sync.publish import Published
from odyssey_assets.sync.rows import RowsAhead, carried_rows_of
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.source_facts import facts_since
from odyssey_assets.sync.staging import StagedTable
from odyssey_assets.sync.tampering import Tampering, check_of, class_drift
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import server_version
from odyssey_assets.target.digests import TargetDigest, table_digest
from odyssey_assets.target.written import written_tables


@dataclass(frozen=True)
class Resync:
    """What every step of one re-sync knows: which tables go the quick way, and the facts of the others."""

    session: Session
    catalog: TargetCatalog
    tables: tuple[CarriedTable, ...]
    quick: Mapping[str, QuickTable]
    surveys: Mapping[str, TableSurvey]
    objections: tuple[Objection, ...]
    digests: Mapping[str, TargetDigest]
    folder: Path

    @property
    def full(self) -> tuple[CarriedTable, ...]:
        return tuple(table for table in self.tables if table.name not in self.quick)


def resync_tables(session: Session, catalog: TargetCatalog, tables: tuple[CarriedTable, ...]) -> Published:
    """Find what differs, guard against what must not happen, apply the rest, and prove the result."""
    with _scratch(session) as folder:
        resync, found, tampering = _find_differences(session, catalog, tables, folder)
        if session.request.on_tamper is OnTamper.STOP:
            refuse_tampering(each.table for each in tampering.values() if each.is_tampered)
        differing = {name: outcome for name, outcome in found.items() if outcome.different_rows}
        refuse_large_deletes(differing.values(), session.request.allowed_deletes)
        outcomes, digests = _apply_and_prove(resync, found, frozenset(differing))
    checked = {
        name: replace(outcome, checks=(*outcome.checks, check_of(tampering[name])))
        for name, outcome in outcomes.items()
    }
    return Published(checked, {}, resync.objections, digests, is_examined=bool(resync.surveys))


def _find_differences(
    session: Session, catalog: TargetCatalog, tables: tuple[CarriedTable, ...], folder: Path
) -> tuple[Resync, dict[str, TableOutcome], dict[str, Tampering]]:
    version = server_version(session.connection)
    with session.phase(Phase.SURVEY), ThreadPoolExecutor(max_workers=1, thread_name_prefix="pages") as side:
        ledger = read_ledger(session.connection, session.schema)
        changes_since = side.submit(page_changes, session, ledger.values())
        digests = {table.name: table_digest(session.connection, session.schema, table.name) for table in tables}
        quick = quick_tables(session, catalog, tables, ledger, digests, changes_since.result(), version, folder)
        facts = facts_since(session, [each.table for each in quick.values()], ledger, changes_since.result())
    others = tuple(table for table in tables if table.name not in quick)
    examined = survey_and_examine(session, catalog, others)
    if examined.objections and quick:
        # Rows that refer to those held back may be anywhere.
        quick, facts = {}, {}
        examined = survey_and_examine(session, catalog, tables)
    session = replace(examined.session, source_facts={**facts, **examined.session.source_facts})
    resync = Resync(session, catalog, tables, quick, examined.surveys, examined.objections, digests, folder)
    in_full = tuple(table for table in tables if table.name not in quick)
    with session.phase(Phase.COMPARE), carried_rows_of(session, examined.surveys, to_prove=in_full) as streams:
        found = {table.name: _found(resync, table, streams) for table in tables}
    tampering = {}
    for table in tables:
        comparison = found[table.name].comparison
        assert comparison is not None
        tampering[table.name] = class_drift(
            resync.session, table, ledger.get(table.name), digests[table.name], comparison, version
        )
    return resync, found, tampering


def _found(resync: Resync, table: CarriedTable, streams: Iterator[RowsAhead]) -> TableOutcome:
    """The table as it was found, its differences kept in a file; ``streams`` has the rows of those read in full."""
    quick = resync.quick.get(table.name)
    if quick is None:
        return prove_table(
            resync.session,
            resync.catalog,
            table,
            resync.surveys[table.name],
            next(streams),
            phase=Phase.COMPARE,
            status=TableStatus.UNCHANGED,
            keep=_differences_file(resync.folder, table.name),
        )
    return judge(
        resync.session,
        resync.catalog,
        table,
        quick.comparison,
        quick.comparison.source_rows,
        status=TableStatus.UNCHANGED,
        counts_orphans=False,
    )


def _apply_and_prove(
    resync: Resync, found: Mapping[str, TableOutcome], differing: frozenset[str]
) -> tuple[dict[str, TableOutcome], dict[str, TargetDigest]]:
    """Change the tables that differ and prove them; returns all outcomes, and the digests known of the target."""
    digests = {name: resync.digests[name] for name in found.keys() - differing}
    if not differing:
        return dict(found), digests
    session = resync.session
    changes = {
        table.name: TableChanges(table, _differences_file(resync.folder, table.name))
        for table in resync.tables
        if table.name in differing
    }
    with session.phase(Phase.APPLY):
        staged = stage_changes(session, resync.catalog, changes)
        before = {name: digest_before(session, staged[name]) for name in staged if name in resync.quick}
        apply_staged(session, resync.catalog, staged)
    outcomes = dict(found)
    with session.phase(Phase.PROOF):
        written = written_tables(session.connection, session.schema)
        for table in resync.tables:
            if table.name in differing:
                proven, digest = _prove_changed(resync, table, staged[table.name], before.get(table.name))
                outcomes[table.name] = _applied(proven, found[table.name])
                if digest is not None:
                    digests[table.name] = digest
            elif written is None or table.name in written:
                outcomes[table.name] = _prove_unharmed(resync, table, found[table.name])
    return outcomes, digests


def _prove_changed(
    resync: Resync, table: CarriedTable, staged: StagedTable, before: TargetDigest | None
) -> tuple[TableOutcome, TargetDigest | None]:
    session = resync.session
    quick = resync.quick.get(table.name)
    if quick is not None and before is not None:
        file = _differences_file(resync.folder, table.name)
        proof = prove_changed_rows(session, quick, staged, before, file)
        if proof is not None:
            comparison, digest = proof
            snapshot_rows = quick.comparison.source_rows
            outcome = judge(session, resync.catalog, table, comparison, snapshot_rows, status=TableStatus.SYNCED)
            return outcome, digest
    return _prove_in_full(resync, table, TableStatus.SYNCED), None


def _prove_unharmed(resync: Resync, table: CarriedTable, found: TableOutcome) -> TableOutcome:
    """A table that was not to be changed, and that a cascade or a trigger wrote to."""
    if table_digest(resync.session.connection, resync.session.schema, table.name) == resync.digests[table.name]:
        return found
    return _prove_in_full(resync, table, TableStatus.UNCHANGED)


def _prove_in_full(resync: Resync, table: CarriedTable, status: TableStatus) -> TableOutcome:
    survey = resync.surveys.get(table.name) or survey_tables(resync.session, (table,))[table.name]
    with carried_rows_of(resync.session, {table.name: survey}, to_prove=(table,)) as streams:
        rows = next(streams)
        return prove_table(resync.session, resync.catalog, table, survey, rows, phase=Phase.PROOF, status=status)


def _applied(proven: TableOutcome, found: TableOutcome) -> TableOutcome:
    return replace(
        proven,
        inserted=found.missing_rows,
        updated=found.changed_rows,
        deleted=found.extra_rows,
        seconds=proven.seconds + found.seconds,
    )


def _differences_file(folder: Path, table: str) -> Path:
    return folder / f"{table}.parquet"


@contextmanager
def _scratch(session: Session) -> Iterator[Path]:
    """A folder for this run's differences, gone at its end."""
    scratch_dir = session.request.scratch_dir
    try:
        with scratch_folder(scratch_dir, "differences") as folder:
            yield folder
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise UnreachableError(
            f"There is no room for what differs in {scratch_dir}.",
            hint="Free some space or set ODYSSEY_STATE_DIR to a larger disk; nothing was changed.",
        ) from error
