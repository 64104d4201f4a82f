"""Publishing tables for the first time, or onto a target that is equal already.

Belongs here: a migration's order of steps. Does not belong here: tables that hold other rows (``resync``), the steps
themselves (``load``, ``prove``), or the transaction (``run``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.preflight.objections import Objection
from odyssey_assets.progress import Phase
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.sync.examine import Examined, survey_and_examine
from odyssey_assets.sync.load import load_empty_tables
from odyssey_assets.sync.outcome import TableOutcome, TableStatus
from odyssey_assets.sync.prove import prove_table
from odyssey_assets.sync.rows import carried_rows_of
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.tampering import check_tampering
from odyssey_assets.sync.verdict import failed_checks
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import query
from odyssey_assets.target.digests import TargetDigest


@dataclass(frozen=True)
class Published:
    """``in_the_way`` are tables that hold other rows and may not be changed by this run.

    ``digests`` are those of the target that are known already; ``objections`` say why rows are held back;
    ``is_examined`` that SQLite's own checks were asked of the snapshot.
    """

    outcomes: Mapping[str, TableOutcome]
    in_the_way: Mapping[str, TableOutcome]
    objections: tuple[Objection, ...]
    digests: Mapping[str, TargetDigest]
    is_examined: bool


def publish_tables(session: Session, catalog: TargetCatalog, tables: tuple[CarriedTable, ...]) -> Published:
    """Load tables that are empty; others must be equal already, or nothing is done."""
    examined = survey_and_examine(session, catalog, tables)
    session, is_examined = examined.session, bool(examined.surveys)
    empty = tuple(table for table in tables if not has_rows(session, table))
    filled = tuple(table for table in tables if table not in empty)
    settled = compare_tables(session, catalog, filled, examined.surveys, TableStatus.UNCHANGED)
    in_the_way = {name: outcome for name, outcome in settled.items() if failed_checks(outcome)}
    if in_the_way:
        waiting = {table.name: TableOutcome(table.name, TableStatus.FAILED, carried=table) for table in empty}
        return Published(
            check_tampering(session, settled) | waiting,
            in_the_way,
            examined.objections,
            {},
            is_examined=is_examined,
        )
    loaded = _load_and_prove(examined, catalog, empty)
    outcomes = check_tampering(session, settled | loaded, loaded=frozenset(loaded))
    return Published(outcomes, {}, examined.objections, {}, is_examined=is_examined)


def compare_tables(
    session: Session,
    catalog: TargetCatalog,
    tables: tuple[CarriedTable, ...],
    surveys: Mapping[str, TableSurvey],
    status: TableStatus,
    source_digests: Mapping[str, int | None] | None = None,
) -> dict[str, TableOutcome]:
    """Compare and judge tables as they are. ``source_digests`` are those of their rows that are known already."""
    ahead = carried_rows_of(session, surveys, to_prove=tables, known_digests=source_digests)
    with session.phase(Phase.COMPARE), ahead as streams:
        return {
            table.name: prove_table(
                session,
                catalog,
                table,
                surveys[table.name],
                rows,
                phase=Phase.COMPARE,
                status=status,
                with_target_digest=True,
            )
            for table, rows in zip(tables, streams, strict=True)
        }


def has_rows(session: Session, table: CarriedTable) -> bool:
    """Whether the target holds any row of the table."""
    name = f"{quoted(session.schema)}.{quoted(table.name)}"
    (row,) = query(session.connection, f"SELECT EXISTS (SELECT 1 FROM {name}) AS has_rows")
    return bool(row["has_rows"])


def _load_and_prove(
    examined: Examined, catalog: TargetCatalog, tables: tuple[CarriedTable, ...]
) -> dict[str, TableOutcome]:
    session, surveys = examined.session, examined.surveys
    outcomes = {}
    # Every table is read twice; the second time, for the proof, begins while the server still builds the last keys.
    with carried_rows_of(session, surveys, to_load=tables, to_prove=tables) as streams:
        with session.phase(Phase.LOAD):
            written = load_empty_tables(session, catalog, tables, surveys, (rows.batches for rows in streams))
        with session.phase(Phase.PROOF):
            for table, rows in zip(tables, streams, strict=True):
                proven = prove_table(
                    session, catalog, table, surveys[table.name], rows, phase=Phase.PROOF, status=TableStatus.LOADED
                )
                outcomes[table.name] = replace(proven, inserted=written[table.name])
    return outcomes
