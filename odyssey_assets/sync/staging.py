"""Differences of one table, staged as temporary tables beside it, and the statements that bring it in step.

Belongs here: staging and SQL over one table. Does not belong here: the order across tables (``apply``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.compare.differences import DifferenceKind
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind
from odyssey_assets.target.connection import execute
from odyssey_assets.target.writer import copy_rows

_TEMPORARY = "pg_temp"
RETIRED_PREFIX = "odyssey-retired:"
"""Stands for a moment in a unique text column whose value moves to another row in the same transaction."""


@dataclass(frozen=True)
class StagedTable:
    """One table with its temporary tables: whole rows to insert and to update, keys of rows to delete."""

    schema: str
    table: CarriedTable
    inserts: str
    updates: str
    deletes: str

    @property
    def name(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.table.name)}"


def stage_table(
    connection: Connection, schema: str, table: CarriedTable, differences: Path, number: int
) -> StagedTable:
    """Copy a file of differences into temporary tables that the commit drops."""
    staged = StagedTable(
        schema, table, f"odyssey_insert_{number}", f"odyssey_update_{number}", f"odyssey_delete_{number}"
    )
    names = (staged.inserts, staged.updates, staged.deletes)
    for name, kind in zip(names, (DifferenceKind.MISSING, DifferenceKind.CHANGED, DifferenceKind.EXTRA), strict=True):
        columns = ", ".join(map(quoted, table.column_names))
        execute(
            connection,
            f"CREATE TEMPORARY TABLE {quoted(name)} ON COMMIT DROP AS SELECT {columns} FROM {staged.name} WITH NO DATA",
        )
        copy_rows(connection, _TEMPORARY, table.named(name), difference_rows(table, differences, kind))
    return staged


def difference_rows(table: CarriedTable, differences: Path, kind: DifferenceKind) -> Iterator[pa.RecordBatch]:
    """The rows of one kind in canonical form: the target's for rows to delete, the source's for all others."""
    side = "t" if kind is DifferenceKind.EXTRA else "s"
    schema = pa.schema([(column.name, CANONICAL_TYPE[column.kind]) for column in table.columns])
    with pq.ParquetFile(differences) as file:
        for batch in file.iter_batches():
            chosen = pc.filter(batch, pc.equal(batch.column("kind"), kind.value))
            if chosen.num_rows:
                arrays = [_canonical(chosen.column(f"{side}:{column.name}"), column.kind) for column in table.columns]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _canonical(array: pa.Array, kind: Kind) -> pa.Array:
    wanted = CANONICAL_TYPE[kind]
    return array.view(wanted) if kind is Kind.DOUBLE else array.cast(wanted)


def insert_rows(connection: Connection, staged: StagedTable) -> None:
    columns = ", ".join(map(quoted, staged.table.column_names))
    execute(connection, f"INSERT INTO {staged.name} ({columns}) SELECT {columns} FROM {quoted(staged.inserts)}")


def update_rows(connection: Connection, staged: StagedTable) -> None:
    others = [name for name in staged.table.column_names if name not in staged.table.key]
    if others:
        values = ", ".join(f"{quoted(name)} = staged.{quoted(name)}" for name in others)
        execute(
            connection,
            f"UPDATE {staged.name} AS live SET {values} FROM {quoted(staged.updates)} staged WHERE {_same_key(staged)}",
        )


def delete_rows(connection: Connection, staged: StagedTable) -> None:
    execute(
        connection,
        f"DELETE FROM {staged.name} AS live USING {quoted(staged.deletes)} staged WHERE {_same_key(staged)}",
    )


def retire_unique_values(connection: Connection, staged: StagedTable, column: str, index: tuple[str, ...]) -> None:
    """Take rows that go, or whose value in this unique index changes, out of the way of those that take the value."""
    key = " || '/' || ".join(f"live.{quoted(name)}::text" for name in staged.table.key)
    placeholder = f"{quoted(column)} = '{RETIRED_PREFIX}' || {key}"
    execute(
        connection,
        f"UPDATE {staged.name} AS live SET {placeholder} FROM {quoted(staged.deletes)} staged "
        f"WHERE {_same_key(staged)}",
    )
    execute(
        connection,
        f"UPDATE {staged.name} AS live SET {placeholder} FROM {quoted(staged.updates)} staged "
        f"WHERE {_same_key(staged)} AND ({_differs(index)})",
    )


def replace_instead_of_update(connection: Connection, staged: StagedTable, index: tuple[str, ...]) -> None:
    """Turn updates that change this unique index into a delete and an insert, for tables nothing refers to."""
    columns = ", ".join(map(quoted, staged.table.column_names))
    changing = (
        f"SELECT staged.ctid AS place FROM {quoted(staged.updates)} staged JOIN {staged.name} live "
        f"ON {_same_key(staged)} WHERE {_differs(index)}"
    )
    for name in (staged.deletes, staged.inserts):
        execute(
            connection,
            f"INSERT INTO {quoted(name)} ({columns}) SELECT {columns} FROM {quoted(staged.updates)} "
            f"WHERE ctid IN (SELECT place FROM ({changing}) AS changing)",
        )
    execute(
        connection,
        f"DELETE FROM {quoted(staged.updates)} WHERE ctid IN (SELECT place FROM ({changing}) AS changing)",
    )


def _same_key(staged: StagedTable) -> str:
    return " AND ".join(f"live.{quoted(name)} = staged.{quoted(name)}" for name in staged.table.key)


def _differs(columns: tuple[str, ...]) -> str:
    return " OR ".join(f"live.{quoted(name)} IS DISTINCT FROM staged.{quoted(name)}" for name in columns)
