"""Small tables with one column of every kind, as streams of record batches, for the tests of the comparison."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind

COLUMNS = (
    CarriedColumn("id", Kind.TEXT, "text", is_required=True),
    CarriedColumn("number", Kind.INTEGER, "bigint"),
    CarriedColumn("weight", Kind.DOUBLE, "double precision"),
    CarriedColumn("note", Kind.TEXT, "text"),
    CarriedColumn("flag", Kind.BOOLEAN, "boolean"),
    CarriedColumn("moment", Kind.MOMENT, "timestamp without time zone"),
    CarriedColumn("document", Kind.JSON, "jsonb"),
    CarriedColumn("raw", Kind.JSON, "text"),
)
KEYED = CarriedTable("Thing", COLUMNS, ("id",))
KEYLESS = CarriedTable("Thing", COLUMNS, tuple(column.name for column in COLUMNS), is_key_unique=False)
NEW_YEAR = datetime(2025, 1, 1)
PLAIN: dict[str, Any] = {"number": 1, "weight": 1.5, "note": "x", "flag": True, "moment": NEW_YEAR,
                         "document": "{}", "raw": "{}"}  # fmt: skip

Row = dict[str, Any]


def row(id_: str, **cells: Any) -> Row:
    """A row of plain cells but for those given; a moment may be given as microseconds."""
    return {"id": id_, **PLAIN, **cells}


def batch(table: CarriedTable, rows: Sequence[Row]) -> pa.RecordBatch:
    arrays = [pa.array([each[column.name] for each in rows], CANONICAL_TYPE[column.kind]) for column in table.columns]
    return pa.RecordBatch.from_arrays(arrays, names=list(table.column_names))


def in_batches(table: CarriedTable, rows: Sequence[Row], seed: int = 0) -> Iterator[pa.RecordBatch]:
    """The rows in batches that end at random places, some of them empty."""
    borders = random.Random(seed)
    at = 0
    while at < len(rows):
        size = borders.randrange(0, 6)
        yield batch(table, rows[at : at + size])
        at += size
