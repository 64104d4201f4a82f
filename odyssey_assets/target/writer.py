"""Rows into a PostgreSQL table by binary COPY, by column name, in the caller's transaction.

Belongs here: turning canonical batches into what COPY needs. Does not belong here: deciding which rows.
"""

from collections.abc import Iterator

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.target.types import arrow_type_to_write


def copy_rows(connection: Connection, schema: str, table: CarriedTable, batches: Iterator[pa.RecordBatch]) -> int:
    """Append canonical batches to the table; returns the number of rows written. Errors of ``batches`` pass through."""
    written_schema = pa.schema([(column.name, arrow_type_to_write(column)) for column in table.columns])
    rows_written = 0
    failure: BaseException | None = None

    def written() -> Iterator[pa.RecordBatch]:
        nonlocal rows_written, failure
        try:
            for batch in batches:
                rows_written += batch.num_rows
                arrays = [_as_written(each, column) for each, column in zip(batch.columns, table.columns, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=written_schema)
        except BaseException as error:
            failure = error
            raise

    with connection.cursor() as cursor:
        reader = pa.RecordBatchReader.from_batches(written_schema, written())
        try:
            cursor.adbc_ingest(table.name, reader, mode="append", db_schema_name=schema)
        except adbc_driver_manager.Error:
            # The driver makes an error of its own out of one that the stream raised.
            if failure is not None:
                raise failure from None
            raise
    return rows_written


def _as_written(array: pa.Array, column: CarriedColumn) -> pa.Array:
    wanted = arrow_type_to_write(column)
    if isinstance(wanted, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(wanted, array)
    return array if array.type == wanted else array.cast(wanted)
