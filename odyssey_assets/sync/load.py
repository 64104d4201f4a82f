"""Filling empty tables from a snapshot, inside the caller's transaction.

Belongs here: the load, and when keys and indexes are worth taking off around it. Does not belong here: tables that
already hold rows, or the proof.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.prefetch import prefetched
from odyssey_assets.source.reader import SourceBatch, read_table
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.source.values import Misfit
from odyssey_assets.sync.progress import OnProgress, Phase, Progress, counted
from odyssey_assets.target.catalog import TargetCatalog, read_catalog
from odyssey_assets.target.rebuild import put_back, require_same, take_off
from odyssey_assets.target.writer import copy_rows

REBUILD_FROM_ROWS = 5_000
"""From here on building keys and indexes after the load is faster than maintaining them during it."""


def load_empty_tables(
    connection: Connection,
    catalog: TargetCatalog,
    tables: tuple[CarriedTable, ...],
    surveys: Mapping[str, TableSurvey],
    snapshot: Path,
    on_progress: OnProgress,
) -> dict[str, int]:
    """Load ``tables``, parents first, and return the rows written by table.

    Raises IntegrityError, with table and column, at the first batch that holds a value which cannot be carried.
    """
    large = frozenset(
        table.name
        for table in tables
        if surveys[table.name].rows >= REBUILD_FROM_ROWS and _may_rebuild(catalog, table.name)
    )
    taken = take_off(connection, catalog, large)
    written: dict[str, int] = {}
    for table in tables:
        on_progress(Progress(Phase.LOAD, table.name, total_rows=surveys[table.name].rows))
        rows = only_whole_rows(table, read_table(snapshot, table, surveys[table.name]))
        with prefetched(rows) as ahead:
            counted_rows = counted(ahead, Phase.LOAD, table.name, on_progress)
            written[table.name] = copy_rows(connection, catalog.schema, table, counted_rows)
    put_back(connection, catalog, taken, lambda table: on_progress(Progress(Phase.INDEX, table)))
    if large:
        require_same(catalog, read_catalog(connection, catalog.schema))
    return written


def only_whole_rows(table: CarriedTable, batches: Iterator[SourceBatch]) -> Iterator[pa.RecordBatch]:
    """The rows alone; raises IntegrityError at the first value that cannot be carried."""
    for batch in batches:
        if batch.misfits:
            raise _misfit_error(table, batch, batch.misfits[0])
        yield batch.rows


def _misfit_error(table: CarriedTable, batch: SourceBatch, misfit: Misfit) -> IntegrityError:
    row = batch.rows.slice(int(misfit.rows[0]), 1).to_pylist()[0]
    key = {name: row[name] for name in table.key}
    named = ", ".join(f"{name}={value!r}" for name, value in key.items())
    return IntegrityError(
        f"{table.name}.{misfit.column} holds a value that PostgreSQL cannot take ({misfit.reason}) in row {named}.",
        hint="Run odyssey preflight for the whole list; nothing was changed.",
        table=table.name,
        column=misfit.column,
        key=key,
    )


def _may_rebuild(catalog: TargetCatalog, table: str) -> bool:
    """Dropping and adding keys takes ownership of the table and of every table that refers to it."""
    concerned = {table} | {
        key.table for each in catalog.tables.values() for key in each.foreign_keys if key.parent == table
    }
    return all(catalog.tables[name].is_owned for name in concerned)
