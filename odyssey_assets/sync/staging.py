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
from odyssey_assets.target.catalog import TargetTable
from odyssey_assets.target.connection import execute
from odyssey_assets.target.writer import copy_rows

_TEMPORARY = "pg_temp"
RETIRED_PREFIX = "odyssey-retired:"
"""Stands for a moment in a unique text column whose value moves to another row in the same transaction."""


@dataclass(frozen=True)
class StagedTable:
    """One table with its temporary tables: whole rows to insert, to update and to delete.

    ``own_columns`` are the target's and not the source's; ``kept`` holds them for rows that are replaced.
    """

    schema: str
    table: CarriedTable
    inserts: str
    updates: str
    deletes: str
    kept: str
    own_columns: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.table.name)}"


def stage_table(
    connection: Connection, schema: str, table: CarriedTable, target: TargetTable, differences: Path, number: int
) -> StagedTable:
    """Copy a file of differences into temporary tables that the commit drops."""
    staged = StagedTable(
        schema,
        table,
        f"odyssey_insert_{number}",
        f"odyssey_update_{number}",
        f"odyssey_delete_{number}",
        f"odyssey_kept_{number}",
        tuple(column.name for column in target.columns if column.name not in table.column_names),
    )
    names = (staged.inserts, staged.updates, staged.deletes)
    for name, kind in zip(names, (DifferenceKind.MISSING, DifferenceKind.CHANGED, DifferenceKind.EXTRA), strict=True):
        _create_temporary(connection, staged, name, table.column_names)
        copy_rows(connection, _TEMPORARY, table.named(name), difference_rows(table, differences, kind))
    if staged.own_columns:
        _create_temporary(connection, staged, staged.kept, (*table.key, *staged.own_columns))
    return staged


def _create_temporary(connection: Connection, staged: StagedTable, name: str, columns: tuple[str, ...]) -> None:
    listed = ", ".join(map(quoted, columns))
    execute(
        connection,
        f"CREATE TEMPORARY TABLE {quoted(name)} ON COMMIT DROP AS SELECT {listed} FROM {staged.name} WITH NO DATA",
    )


def difference_rows(
    table: CarriedTable, differences: Path, kind: DifferenceKind, *, of_target: bool = False
) -> Iterator[pa.RecordBatch]:
    """The rows of one kind in canonical form: the target's for rows to delete or where asked for, else the source's."""
    side = "t" if of_target or kind is DifferenceKind.EXTRA else "s"
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
            f"UPDATE {staged.name} AS live SET {values} FROM {quoted(staged.updates)} staged "
            f"WHERE {same_key_sql(staged)}",
        )


def delete_rows(connection: Connection, staged: StagedTable) -> None:
    execute(
        connection,
        f"DELETE FROM {staged.name} AS live USING {quoted(staged.deletes)} staged WHERE {same_key_sql(staged)}",
    )


def retire_unique_values(connection: Connection, staged: StagedTable, column: str, index: tuple[str, ...]) -> None:
    """Take rows that go, or whose value in this unique index changes, out of the way of those that take the value."""
    key = " || '/' || ".join(f"live.{quoted(name)}::text" for name in staged.table.key)
    placeholder = f"{quoted(column)} = '{RETIRED_PREFIX}' || {key}"
    execute(
        connection,
        f"UPDATE {staged.name} AS live SET {placeholder} FROM {quoted(staged.deletes)} staged "
        f"WHERE {same_key_sql(staged)}",
    )
    execute(
        connection,
        f"UPDATE {staged.name} AS live SET {placeholder} FROM {quoted(staged.updates)} staged "
        f"WHERE {same_key_sql(staged)} AND ({differs_sql(index)})",
    )


def replace_instead_of_update(connection: Connection, staged: StagedTable, index: tuple[str, ...]) -> None:
    """Turn updates that give up a value of this unique index to another row into a delete and an insert.

    What columns of the target's own hold, those that SQLite lacks, is put aside for ``restore_own_columns``.
    """
    columns = ", ".join(map(quoted, staged.table.column_names))
    claimed = " OR ".join(
        f"EXISTS (SELECT 1 FROM {quoted(name)} claim WHERE {_same_value_sql(index)})"
        for name in (staged.inserts, staged.updates)
    )
    changing = (
        f"{staged.name} live JOIN {quoted(staged.updates)} staged ON {same_key_sql(staged)} "
        f"WHERE ({differs_sql(index)}) AND ({claimed})"
    )
    if staged.own_columns:
        kept = ", ".join(f"live.{quoted(name)}" for name in (*staged.table.key, *staged.own_columns))
        execute(connection, f"INSERT INTO {quoted(staged.kept)} SELECT {kept} FROM {changing}")
    execute(
        connection,
        f"INSERT INTO {quoted(staged.deletes)} ({columns}) "
        f"SELECT {', '.join(f'staged.{quoted(name)}' for name in staged.table.column_names)} FROM {changing}",
    )
    execute(
        connection,
        f"WITH moved AS (DELETE FROM {quoted(staged.updates)} live USING {quoted(staged.deletes)} staged "
        f"WHERE {same_key_sql(staged)} RETURNING live.*) "
        f"INSERT INTO {quoted(staged.inserts)} ({columns}) SELECT {columns} FROM moved",
    )


def restore_own_columns(connection: Connection, staged: StagedTable) -> None:
    """Give rows that were replaced what columns of the target's own held before."""
    if staged.own_columns:
        values = ", ".join(f"{quoted(name)} = staged.{quoted(name)}" for name in staged.own_columns)
        execute(
            connection,
            f"UPDATE {staged.name} AS live SET {values} FROM {quoted(staged.kept)} staged WHERE {same_key_sql(staged)}",
        )


def same_key_sql(staged: StagedTable) -> str:
    """``live`` is the table, ``staged`` one of its temporary tables."""
    return " AND ".join(f"live.{quoted(name)} = staged.{quoted(name)}" for name in staged.table.key)


def _same_value_sql(index: tuple[str, ...]) -> str:
    return " AND ".join(f"claim.{quoted(name)} = live.{quoted(name)}" for name in index)


def differs_sql(columns: tuple[str, ...]) -> str:
    """Whether any of these columns of ``live`` differs from ``staged``; NULL equals NULL alone."""
    return " OR ".join(f"live.{quoted(name)} IS DISTINCT FROM staged.{quoted(name)}" for name in columns)
