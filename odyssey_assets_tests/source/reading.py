"""Reading a table for tests as plain rows, with the rows of misfits by column and reason."""

from datetime import datetime
from pathlib import Path

import pyarrow as pa

from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind
from odyssey_assets.source.reader import SourceBatch, read_table
from odyssey_assets.source.survey import survey_table
from odyssey_assets.source.values import Reason

TARGET_TYPES = {
    Kind.TEXT: "text",
    Kind.JSON: "jsonb",
    Kind.ENUM: "Role",
    Kind.INTEGER: "bigint",
    Kind.DOUBLE: "double precision",
    Kind.BOOLEAN: "boolean",
    Kind.MOMENT: "timestamp without time zone",
}
NINE = datetime(2025, 10, 10, 9)
NINE_MILLISECONDS = 1_760_086_800_000
Misfits = dict[tuple[str, Reason], list[int]]


def table_of(name: str, **kinds: Kind) -> CarriedTable:
    columns = tuple(
        CarriedColumn(column, kind, TARGET_TYPES[kind], labels=("USER", "ADMIN") if kind is Kind.ENUM else ())
        for column, kind in kinds.items()
    )
    return CarriedTable(name, columns, tuple(kinds)[:1])


def batches_of(path: Path, table: CarriedTable) -> list[SourceBatch]:
    return list(read_table(path, table, survey_table(path, table.name, table.kinds), with_rowids=True))


def rows_of(path: Path, table: CarriedTable) -> tuple[list[tuple[object, ...]], Misfits]:
    """All rows, and the rowids of misfits by column and reason."""
    rows: list[tuple[object, ...]] = []
    misfits: Misfits = {}
    for batch in batches_of(path, table):
        assert batch.rows.schema == pa.schema([(each.name, CANONICAL_TYPE[each.kind]) for each in table.columns])
        assert batch.rowids is not None
        assert len(batch.rowids) == batch.rows.num_rows > 0
        rows.extend(tuple(row.values()) for row in batch.rows.to_pylist())
        for misfit in batch.misfits:
            named = batch.rowids.take(pa.array(misfit.rows)).to_pylist()
            misfits.setdefault((misfit.column, misfit.reason), []).extend(named)
    return rows, misfits
