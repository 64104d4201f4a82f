"""Rows of a PostgreSQL table as a stream of Arrow record batches in canonical form.

Belongs here: the SELECT and the casts back. Does not belong here: comparing.
"""

from collections.abc import Iterator

import pyarrow as pa
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind
from odyssey_assets.target.connection import execute, stream
from odyssey_assets.target.digests import TargetDigest, row_hash_sql


def keep_heap_order(connection: Connection) -> None:
    """Make sequential scans of this transaction start at the beginning and come in the order of the heap.

    A freshly loaded table is then read in the order it was written, which is the source's order.
    """
    execute(connection, "SET LOCAL synchronize_seqscans = off")
    execute(connection, "SET LOCAL max_parallel_workers_per_gather = 0")


def read_table(connection: Connection, schema: str, table: CarriedTable) -> Iterator[pa.RecordBatch]:
    """Stream the carried columns of a table, in the order of the heap if the transaction asked for it."""
    return _canonical_batches(table, stream(connection, select_sql(schema, table)))


class TargetRows:
    """The same rows; on demand with the digest of the whole table, all its columns included, made on their way."""

    def __init__(self, connection: Connection, schema: str, table: CarriedTable, *, with_digest: bool) -> None:
        self._connection = connection
        self._schema = schema
        self._table = table
        self._with_digest = with_digest
        self._digest: TargetDigest | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if not self._with_digest:
            yield from read_table(self._connection, self._schema, self._table)
            return
        rows = total = 0

        def without_hashes() -> Iterator[pa.RecordBatch]:
            nonlocal rows, total
            hash_sql = row_hash_sql(self._connection, self._schema, self._table.name)
            for batch in stream(self._connection, select_sql(self._schema, self._table, hash_sql)):
                rows += batch.num_rows
                total += _exact_sum(batch.column(batch.num_columns - 1))
                yield batch.select(range(batch.num_columns - 1))

        yield from _canonical_batches(self._table, without_hashes())
        self._digest = TargetDigest(rows, total)

    def digest(self) -> TargetDigest | None:
        """None where it was not asked for, and until the last row was drawn."""
        return self._digest


_LOWER_HALF = 2**32 - 1


def _exact_sum(hashes: pa.Int64Array) -> int:
    """Their sum beyond 64 bits, as PostgreSQL's numeric has it; by halves, neither of which can overflow."""
    numbers = hashes.to_numpy()
    return (int((numbers >> 32).sum()) << 32) + int((numbers & _LOWER_HALF).sum())


def read_chosen_rows(
    connection: Connection, schema: str, table: CarriedTable, chosen: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """Stream the rows whose key is in one of the temporary tables ``chosen``."""
    columns = ", ".join(map(quoted, table.key))
    keys = " UNION ".join(f"SELECT {columns} FROM {quoted(name)}" for name in chosen)
    return _canonical_batches(table, stream(connection, f"{select_sql(schema, table)} WHERE ({columns}) IN ({keys})"))


def _canonical_batches(table: CarriedTable, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    canonical = pa.schema([(column.name, CANONICAL_TYPE[column.kind]) for column in table.columns])
    for batch in batches:
        if batch.num_rows:
            arrays = [
                array if array.type == field.type else array.cast(field.type)
                for array, field in zip(batch.columns, canonical, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=canonical)


def select_sql(schema: str, table: CarriedTable, *more: str) -> str:
    """Select the carried columns of ``live`` by name, enums and documents as text, and after them ``more``."""
    expressions = ", ".join((*map(_expression, table.columns), *more))
    return f"SELECT {expressions} FROM {quoted(schema)}.{quoted(table.name)} live"


def _expression(column: CarriedColumn) -> str:
    name = quoted(column.name)
    needs_cast = column.kind is Kind.ENUM or column.is_json_document
    return f"{name}::text AS {name}" if needs_cast else name
