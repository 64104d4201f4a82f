"""Verifying without changing anything, which in a dual run is two questions.

Is PostgreSQL exactly what was last published? The published snapshot answers where it is still at hand, the ledger's
digest where it is not, and the source as it is where nothing was published yet; a difference is a failure. And how far
has the source moved on since? That is a number, and no failure.

Belongs here: which question is put to what. Does not belong here: comparing (``prove``), or the transaction (``run``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from odyssey_assets.compare.checks import COMPARED
from odyssey_assets.compare.differences import Comparison
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.preflight.objections import Rowids
from odyssey_assets.progress import Phase
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.source.pages import count_different
from odyssey_assets.source.snapshot import Snapshot, kept_snapshot, snapshot_path
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.sync.delta import page_changes, source_comparison
from odyssey_assets.sync.examine import survey_tables
from odyssey_assets.sync.ledger import LedgerEntry, read_ledger
from odyssey_assets.sync.outcome import TableOutcome, TableStatus
from odyssey_assets.sync.prove import judge
from odyssey_assets.sync.publish import compare_tables
from odyssey_assets.sync.published_survey import published_survey
from odyssey_assets.sync.quarantine import rows_still_there
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.source_facts import ChangesSince, facts_since
from odyssey_assets.sync.tampering import check_tampering
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import server_version
from odyssey_assets.target.digests import table_digest
from odyssey_assets.target.held_rows import recorded_rows
from odyssey_assets.target.nulls import null_counts


def verify_tables(
    session: Session, catalog: TargetCatalog, tables: tuple[CarriedTable, ...]
) -> dict[str, TableOutcome]:
    """Judge tables as they are in PostgreSQL now, and say how far the source has moved on."""
    version = server_version(session.connection)
    ledger = read_ledger(session.connection, session.schema)
    with session.phase(Phase.SURVEY):
        changes_since = page_changes(session, ledger.values())
        session = replace(session, source_facts=facts_since(session, tables, ledger, changes_since))
        snapshots = _kept_snapshots(session, ledger.values())
    groups: dict[str | None, list[CarriedTable]] = {}
    outcomes: dict[str, TableOutcome] = {}
    for table in tables:
        entry = ledger.get(table.name)
        if entry is None or entry.columns != table.column_names:
            groups.setdefault(None, []).append(table)
        elif snapshots[entry.snapshot_id] is not None:
            groups.setdefault(entry.snapshot_id, []).append(table)
        elif entry.server_version == version:
            outcomes[table.name] = _by_digest(session, catalog, table, entry)
        else:
            groups.setdefault(None, []).append(table)
    for identity, members in groups.items():
        published = None if identity is None else snapshots[identity]
        outcomes |= _by_snapshot(session, catalog, tuple(members), published, ledger)
    return check_tampering(session, _with_lag(session, tables, outcomes, ledger, changes_since))


def _kept_snapshots(session: Session, entries: Iterable[LedgerEntry]) -> dict[str, Snapshot | None]:
    """The published snapshots by id; None where one is gone or not what was published, byte for byte."""
    sha256_by_snapshot = {entry.snapshot_id: entry.snapshot_sha256 for entry in entries}
    found: dict[str, Snapshot | None] = {}
    for identity, sha256 in sha256_by_snapshot.items():
        is_known = session.kept is not None and session.kept.id == identity
        kept = session.kept if is_known else kept_snapshot(session.request.snapshot_dir, identity)
        found[identity] = kept if kept is not None and kept.sha256 == sha256 else None
    return found


def _by_snapshot(
    session: Session,
    catalog: TargetCatalog,
    tables: tuple[CarriedTable, ...],
    published: Snapshot | None,
    ledger: Mapping[str, LedgerEntry],
) -> dict[str, TableOutcome]:
    """Compare with a published snapshot, or with the source as it is.

    The rows left out on both sides are those in quarantine, and never any that turned bad since.
    """
    if published is None:
        surveys = survey_tables(session, tables)
        session = replace(session, held_back=_held_back(session, tables, None))
        return compare_tables(session, catalog, tables, surveys, TableStatus.VERIFIED)
    session = replace(session, snapshot=published, source=inspect_source(published.path))
    surveys = _published_surveys(session, tables, ledger)
    session = replace(session, held_back=_held_back(session, tables, ledger))
    digests = {table.name: ledger[table.name].source_digest for table in tables}
    outcomes = compare_tables(session, catalog, tables, surveys, TableStatus.VERIFIED, digests)
    return {
        name: replace(
            outcome,
            checks=tuple(
                replace(check, detail=f"{check.detail} (as published in {ledger[name].publication})")
                if check.name in COMPARED
                else check
                for check in outcome.checks
            ),
        )
        for name, outcome in outcomes.items()
    }


def _published_surveys(
    session: Session, tables: tuple[CarriedTable, ...], ledger: Mapping[str, LedgerEntry]
) -> dict[str, TableSurvey]:
    """From the ledger where it tells, else counted."""
    told = {table.name: published_survey(table, ledger[table.name]) for table in tables}
    counted = survey_tables(session, tuple(table for table in tables if told[table.name] is None))
    return counted | {name: survey for name, survey in told.items() if survey is not None}


def _held_back(
    session: Session, tables: tuple[CarriedTable, ...], ledger: Mapping[str, LedgerEntry] | None
) -> dict[str, Rowids]:
    """The rows in quarantine that the session's snapshot has; with a ledger, as many as it says."""
    recorded = recorded_rows(session.connection, session.schema)
    found = {
        table.name: rows_still_there(session.snapshot.path, table, recorded[table.name])
        for table in tables
        if table.name in recorded
    }
    for table in tables if ledger is not None else ():
        count = len(found.get(table.name, ()))
        if ledger is not None and count != ledger[table.name].held_rows:
            raise IntegrityError(
                f"odyssey_sync.quarantine was changed by someone else: of {table.name} it holds {count:,} of the rows "
                f"that publication {ledger[table.name].publication} held back, which were "
                f"{ledger[table.name].held_rows:,}.",
                hint="Run odyssey sync, which writes it anew.",
                table=table.name,
            )
    return found


def _by_digest(session: Session, catalog: TargetCatalog, table: CarriedTable, entry: LedgerEntry) -> TableOutcome:
    """All that can be said when the published snapshot is gone: equal or not, and how many rows."""
    recorded = recorded_rows(session.connection, session.schema).get(table.name, {})
    session = replace(session, held_back={table.name: np.fromiter(recorded, dtype=np.int64)})
    digest = table_digest(session.connection, session.schema, table.name)
    is_equal = digest == entry.target
    comparison = Comparison(
        table=table.name,
        columns=table.column_names,
        source_rows=entry.rows,
        target_rows=digest.rows,
        source_nulls=dict(entry.nulls),
        target_nulls=null_counts(session.connection, session.schema, table.name, table.column_names),
        changed_rows=0 if is_equal else 1,
        source_digest=entry.source_digest,
        basis=f"by PostgreSQL's digest, as published in {entry.publication}, whose snapshot is gone"
        + ("" if is_equal else "; which rows, nobody can tell"),
    )
    return judge(session, catalog, table, comparison, entry.rows, status=TableStatus.VERIFIED)


def _with_lag(
    session: Session,
    tables: tuple[CarriedTable, ...],
    outcomes: Mapping[str, TableOutcome],
    ledger: Mapping[str, LedgerEntry],
    changes_since: ChangesSince,
) -> dict[str, TableOutcome]:
    found = dict(outcomes)
    for table in tables:
        entry = ledger.get(table.name)
        if entry is not None:
            found[table.name] = replace(
                found[table.name], rows_behind=_rows_behind(session, table, entry, changes_since)
            )
    return found


def _rows_behind(session: Session, table: CarriedTable, entry: LedgerEntry, changes_since: ChangesSince) -> int | None:
    """Rows the source moved on; those that cannot be carried are counted by their bytes."""
    changes = changes_since[entry.snapshot_id]
    if changes is None or not session.source.tables[table.name].has_rowid:
        return None
    rowids = changes.rowids_by_table.get(table.name)
    if rowids is None:
        return 0
    lag = source_comparison(session, table, entry, changes_since, keep=None)
    if lag is not None:
        return lag.different_rows
    old = snapshot_path(session.request.snapshot_dir, entry.snapshot_id)
    columns = session.source.tables[table.name].column_names
    return count_different(old, session.snapshot.path, table.name, columns, rowids)
