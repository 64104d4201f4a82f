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


def keep_heap_order(connection: Connection) -> None:
    """Make sequential scans of this transaction start at the beginning and come in the order of the heap.

    A freshly loaded table is then read in the order it was written, which is the source's order.
    """
    execute(connection, "SET LOCAL synchronize_seqscans = off")
    execute(connection, "SET LOCAL max_parallel_workers_per_gather = 0")


def read_table(connection: Connection, schema: str, table: CarriedTable) -> Iterator[pa.RecordBatch]:
    """Stream the carried columns of a table, in the order of the heap if the transaction asked for it."""
    return _canonical_batches(connection, table, select_sql(schema, table))


def read_chosen_rows(
    connection: Connection, schema: str, table: CarriedTable, chosen: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """Stream the rows whose key is in one of the temporary tables ``chosen``."""
    columns = ", ".join(map(quoted, table.key))
    keys = " UNION ".join(f"SELECT {columns} FROM {quoted(name)}" for name in chosen)
    return _canonical_batches(connection, table, f"{select_sql(schema, table)} WHERE ({columns}) IN ({keys})")


def _canonical_batches(connection: Connection, table: CarriedTable, sql: str) -> Iterator[pa.RecordBatch]:
    canonical = pa.schema([(column.name, CANONICAL_TYPE[column.kind]) for column in table.columns])
    for batch in stream(connection, sql):
        if batch.num_rows:
            arrays = [
                array if array.type == field.type else array.cast(field.type)
                for array, field in zip(batch.columns, canonical, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=canonical)


def select_sql(schema: str, table: CarriedTable) -> str:
    """Select the carried columns by name, enums and documents as text."""
    expressions = ", ".join(_expression(column) for column in table.columns)
    return f"SELECT {expressions} FROM {quoted(schema)}.{quoted(table.name)}"


def _expression(column: CarriedColumn) -> str:
    name = quoted(column.name)
    needs_cast = column.kind is Kind.ENUM or column.is_json_document
    return f"{name}::text AS {name}" if needs_cast else name
