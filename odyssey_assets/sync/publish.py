"""Bringing the selected tables in step and proving it, inside the run's transaction.

Belongs here: which tables are compared, loaded, changed and proven, in which order. Does not belong here: the steps
themselves (``load``, ``apply``, ``prove``), or the transaction (``run``).
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.progress import Phase
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.sync.apply import TableChanges, apply_changes
from odyssey_assets.sync.guards import refuse_large_deletes
from odyssey_assets.sync.load import load_empty_tables
from odyssey_assets.sync.outcome import TableOutcome, TableStatus
from odyssey_assets.sync.prove import prove_table
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.verdict import failed_checks
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import query


@dataclass(frozen=True)
class Published:
    """``in_the_way`` are tables that hold other rows and may not be changed by this run."""

    outcomes: Mapping[str, TableOutcome]
    in_the_way: Mapping[str, TableOutcome]


@dataclass(frozen=True)
class Work:
    """The tables of one run, parents first, and SQLite's facts about them."""

    catalog: TargetCatalog
    tables: tuple[CarriedTable, ...]
    surveys: Mapping[str, TableSurvey]


def publish_tables(session: Session, work: Work) -> Published:
    """Load tables that are empty; compare the others, and change them where the request says so."""
    empty = tuple(table for table in work.tables if not _has_rows(session, table))
    if len(empty) == len(work.tables):
        return Published(_load_and_prove(session, work, empty), {})
    if session.request.applies_changes:
        return _sync(session, work)
    filled = tuple(table for table in work.tables if table not in empty)
    settled = verify_tables(session, work, filled, TableStatus.UNCHANGED)
    in_the_way = {name: outcome for name, outcome in settled.items() if failed_checks(outcome)}
    if in_the_way:
        waiting = {table.name: TableOutcome(table.name, TableStatus.FAILED, carried=table) for table in empty}
        return Published(settled | waiting, in_the_way)
    return Published(settled | _load_and_prove(session, work, empty), {})


def verify_tables(
    session: Session, work: Work, tables: tuple[CarriedTable, ...], status: TableStatus, keep: Path | None = None
) -> dict[str, TableOutcome]:
    """Compare and judge tables as they are. ``keep`` is a folder that takes a file of differences a table."""
    with session.phase(Phase.COMPARE):
        return {
            table.name: prove_table(
                session,
                work.catalog,
                table,
                work.surveys[table.name],
                phase=Phase.COMPARE,
                status=status,
                keep=None if keep is None else keep / f"{table.name}.parquet",
            )
            for table in tables
        }


def _sync(session: Session, work: Work) -> Published:
    with _scratch(session) as folder:
        found = verify_tables(session, work, work.tables, TableStatus.UNCHANGED, folder)
        differing = {name: outcome for name, outcome in found.items() if outcome.different_rows}
        refuse_large_deletes(differing.values(), session.request.allowed_deletes)
        if not differing:
            return Published(found, {})
        changes = {
            table.name: TableChanges(table, folder / f"{table.name}.parquet")
            for table in work.tables
            if table.name in differing
        }
        with session.phase(Phase.APPLY):
            apply_changes(session, work.catalog, changes)
    proven = _prove_again(session, work, frozenset(differing))
    return Published(found | {name: _applied(proven[name], found[name]) for name in proven}, {})


def _prove_again(session: Session, work: Work, changed: frozenset[str]) -> dict[str, TableOutcome]:
    """Prove the changed tables, and those a delete could have reached, once more from scratch."""
    reached = {
        key.table for table in work.catalog.tables.values() for key in table.foreign_keys if key.parent in changed
    }
    with session.phase(Phase.PROOF):
        return {
            table.name: prove_table(
                session,
                work.catalog,
                table,
                work.surveys[table.name],
                phase=Phase.PROOF,
                status=TableStatus.SYNCED if table.name in changed else TableStatus.UNCHANGED,
            )
            for table in work.tables
            if table.name in changed | reached
        }


def _applied(proven: TableOutcome, found: TableOutcome) -> TableOutcome:
    return replace(
        proven,
        inserted=found.missing_rows,
        updated=found.changed_rows,
        deleted=found.extra_rows,
        seconds=proven.seconds + found.seconds,
    )


def _load_and_prove(session: Session, work: Work, tables: tuple[CarriedTable, ...]) -> dict[str, TableOutcome]:
    with session.phase(Phase.LOAD):
        written = load_empty_tables(session, work.catalog, tables, work.surveys)
    with session.phase(Phase.PROOF):
        return {
            table.name: replace(
                prove_table(
                    session,
                    work.catalog,
                    table,
                    work.surveys[table.name],
                    phase=Phase.PROOF,
                    status=TableStatus.LOADED,
                ),
                inserted=written[table.name],
            )
            for table in tables
        }


def _has_rows(session: Session, table: CarriedTable) -> bool:
    name = f"{quoted(session.schema)}.{quoted(table.name)}"
    (row,) = query(session.connection, f"SELECT EXISTS (SELECT 1 FROM {name}) AS has_rows")
    return bool(row["has_rows"])


@contextmanager
def _scratch(session: Session) -> Iterator[Path]:
    """A folder for this run's differences, gone at its end."""
    session.request.scratch_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="differences-", dir=session.request.scratch_dir))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
