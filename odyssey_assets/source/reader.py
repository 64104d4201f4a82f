"""Rows of a snapshot as a stream of Arrow record batches in canonical form.

Belongs here: the SELECT that gives every column one known type, and streaming it through ADBC.
Does not belong here: deciding what values mean (``values``), or counting them (``survey``).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import adbc_driver_manager
import adbc_driver_sqlite.dbapi as adbc_sqlite
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import CANONICAL_TYPE
from odyssey_assets.source.snapshot import DAMAGE, open_snapshot, read_only_uri
from odyssey_assets.source.survey import LEGAL_CLASSES, USUAL_CLASS, ColumnSurvey, TableSurvey, weigh_rows
from odyssey_assets.source.values import MISFIT_PART, Misfit, convert_column

BATCH_ROWS = 16_384
"""Rows of a record batch: of 4 k to 64 k the fastest within noise, and at 1 kB a row still only 16 MB."""

BATCH_BYTES = 32 * 2**20
"""About so much of text may be in one batch; Arrow's string arrays end at 2 GB."""
_FEWEST_BATCH_ROWS = 16

ROWID = "#rowid"

_SENTINEL = {"integer": "0", "real": "0.5", "text": "''", MISFIT_PART: "''"}
"""One row of known types ahead of the data, since ADBC takes a column's type from the first batch it sees."""


@dataclass(frozen=True)
class SourceBatch:
    """Rows in canonical form; ``rowids`` only where they were asked for."""

    rows: pa.RecordBatch
    misfits: tuple[Misfit, ...]
    rowids: pa.Int64Array | None

    @property
    def nbytes(self) -> int:
        return int(self.rows.nbytes)


def read_table(
    snapshot: Path,
    table: CarriedTable,
    survey: TableSurvey,
    *,
    with_rowids: bool = False,
    only: npt.NDArray[np.int64] | None = None,
) -> Iterator[SourceBatch]:
    """Stream a table in rowid order. Values that cannot be carried are NULL and named as misfits.

    ``only`` are the rowids to read; those that are not there are passed over.
    """
    parts_by_column = {column.name: _parts(survey.columns[column.name]) for column in table.columns}
    schema = pa.schema([(column.name, CANONICAL_TYPE[column.kind]) for column in table.columns])
    sql = _select_sql(table, parts_by_column, with_rowids=with_rowids)
    if only is not None:
        sql += f" WHERE rowid IN (SELECT value FROM json_each('{json.dumps(only.tolist())}'))"
    is_first = True
    for raw in _raw_batches(snapshot, sql, _batch_rows(snapshot, table, survey)):
        batch = raw.slice(1) if is_first else raw
        is_first = False
        if batch.num_rows:
            yield _convert_batch(batch, table, parts_by_column, schema)


def _raw_batches(snapshot: Path, sql: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Raises IntegrityError where the file is damaged below what SQLite's catalog shows."""
    try:
        with adbc_sqlite.connect(read_only_uri(snapshot, immutable=True)) as connection, connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(batch_rows)})
            cursor.execute(sql)
            yield from cursor.fetch_record_batch()
    except (adbc_driver_manager.Error, OSError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> IntegrityError:
    return IntegrityError(
        f"The SQLite file cannot be read to its end: {error}.",
        hint="Run odyssey preflight; restore the file from a backup if it is damaged.",
    )


def _batch_rows(snapshot: Path, table: CarriedTable, survey: TableSurvey) -> int:
    """Fewer rows a batch where rows are wide."""
    row_bytes = survey.row_bytes
    if row_bytes is None:
        try:
            with open_snapshot(snapshot) as connection:
                row_bytes = weigh_rows(connection, table.name, table.column_names)
        except DAMAGE as error:
            raise _unreadable(error) from error
    return max(_FEWEST_BATCH_ROWS, min(BATCH_ROWS, int(BATCH_BYTES / max(row_bytes, 1))))


def _parts(column: ColumnSurvey) -> dict[str, str]:
    """SQL by part: the bare column where one storage class covers it, else one guarded expression a class."""
    name = quoted(column.name)
    classes = column.value_classes & LEGAL_CLASSES[column.kind] or {USUAL_CLASS[column.kind]}
    if len(classes) == 1 and not column.illegal_classes:
        return {next(iter(classes)): name}
    parts = {each: f"CASE typeof({name}) WHEN '{each}' THEN {name} END" for each in sorted(classes)}
    if column.illegal_classes:
        illegal = ", ".join(f"'{each}'" for each in column.illegal_classes)
        parts[MISFIT_PART] = f"CASE WHEN typeof({name}) IN ({illegal}) THEN typeof({name}) END"
    return parts


def _select_sql(table: CarriedTable, parts_by_column: dict[str, dict[str, str]], *, with_rowids: bool) -> str:
    sentinels = [f"0 AS {quoted(ROWID)}"] if with_rowids else []
    expressions = ["rowid"] if with_rowids else []
    for column, parts in parts_by_column.items():
        for part, expression in parts.items():
            sentinels.append(f"{_SENTINEL[part]} AS {quoted(f'{column}#{part}')}")
            expressions.append(expression)
    # Without NOT INDEXED SQLite may read an index's copy of the columns: in another order, and wrong if it is damaged.
    rows = f"{quoted(table.name)} NOT INDEXED"
    return f"SELECT {', '.join(sentinels)} UNION ALL SELECT {', '.join(expressions)} FROM {rows}"


def _convert_batch(
    batch: pa.RecordBatch, table: CarriedTable, parts_by_column: dict[str, dict[str, str]], schema: pa.Schema
) -> SourceBatch:
    conversions = [
        convert_column(column, {part: batch.column(f"{column.name}#{part}") for part in parts_by_column[column.name]})
        for column in table.columns
    ]
    rows = pa.RecordBatch.from_arrays([conversion.values for conversion in conversions], schema=schema)
    misfits = tuple(misfit for conversion in conversions for misfit in conversion.misfits)
    return SourceBatch(rows, misfits, batch.column(ROWID) if ROWID in batch.schema.names else None)
