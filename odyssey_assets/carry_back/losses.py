"""Values that PostgreSQL holds and SQLite, or Prisma on it, cannot.

Belongs here: finding them in the server, and what becomes of those whose loss was allowed. Does not belong here: tables
and columns without a place (``agreement``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from odyssey_assets.carry_back.refusal import refuse
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind
from odyssey_assets.target.connection import query
from odyssey_assets.target.reader import read_table
from odyssey_assets.target.table_locks import LockedTarget

LATEST = "294247-01-10 04:00:54.775+00"
"""Where 64-bit microseconds since 1970 end; PostgreSQL goes on for 29 years, its driver does not."""

_LISTED_ROWS = 5
_FRACTION_DIGITS = re.compile(r"\((\d)\)")
_MILLISECOND_DIGITS = 3


@dataclass(frozen=True)
class _Hazard:
    """``where`` is SQL true of values that cannot be held; ``may_be_allowed`` if there is a nearest one that can."""

    column: str
    kind: str
    where: str
    detail: str
    may_be_allowed: bool


def require_holdable(target: LockedTarget, tables: tuple[CarriedTable, ...], allowed: frozenset[str]) -> None:
    """Raise IntegrityError naming table, column and key of values that SQLite cannot hold and that are not allowed."""
    findings = list(chain.from_iterable(_findings(target, table, allowed) for table in tables))
    refuse(
        findings,
        "Mend the values in PostgreSQL; where whole milliseconds or 0.0 for -0.0 will do, allow that by naming the "
        "column as Table.column with --allow-loss.",
    )


def target_rows(target: LockedTarget, table: CarriedTable, allowed: frozenset[str]) -> Iterator[pa.RecordBatch]:
    """PostgreSQL's rows, allowed columns as SQLite can hold them."""
    rows = read_table(target.connection, target.catalog.schema, table)
    losing = {column.name for column in table.columns if f"{table.name}.{column.name}" in allowed}
    return (_held_by_sqlite(table, batch, losing) for batch in rows) if losing else rows


def _held_by_sqlite(table: CarriedTable, batch: pa.RecordBatch, losing: set[str]) -> pa.RecordBatch:
    arrays = [
        _nearest(column, array) if column.name in losing else array
        for column, array in zip(table.columns, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def _nearest(column: CarriedColumn, array: pa.Array) -> pa.Array:
    match column.kind:
        case Kind.DOUBLE:
            return pc.add(array, 0.0)
        case Kind.MOMENT:
            return pc.floor_temporal(array, unit="millisecond").cast(CANONICAL_TYPE[Kind.MOMENT])
        case _:
            return array


def _findings(target: LockedTarget, table: CarriedTable, allowed: frozenset[str]) -> Iterator[Finding]:
    hazards = [
        hazard
        for column in table.columns
        for hazard in _hazards(column, _type_text(target, table.name, column.name))
        if not (hazard.may_be_allowed and f"{table.name}.{hazard.column}" in allowed)
    ]
    if not hazards:
        return
    rows_sql = f"{quoted(target.catalog.schema)}.{quoted(table.name)}"
    counts = ", ".join(f"count(*) FILTER (WHERE {each.where}) AS n{number}" for number, each in enumerate(hazards))
    (row,) = query(target.connection, f"SELECT {counts} FROM {rows_sql}")
    key = ", ".join(f"{quoted(name)}::text AS {quoted(name)}" for name in table.key)
    for hazard, count in zip(hazards, map(int, map(str, row.values())), strict=True):
        if not count:
            continue
        listed = query(
            target.connection, f"SELECT {key} FROM {rows_sql} WHERE {hazard.where} ORDER BY 1 LIMIT {_LISTED_ROWS}"
        )
        for each in listed:
            yield Finding(Severity.ERROR, hazard.kind, table.name, hazard.column, each, 1, hazard.detail)
        if count > len(listed):
            detail = f"{hazard.detail} ({count - len(listed):,} more rows)"
            yield Finding(Severity.ERROR, hazard.kind, table.name, hazard.column, None, count - len(listed), detail)


def _hazards(column: CarriedColumn, type_text: str) -> Iterator[_Hazard]:
    name = quoted(column.name)
    if column.kind is Kind.MOMENT:
        beyond = f"NOT isfinite({name}) OR {name} > '{LATEST}'"
        yield _Hazard(column.name, "date_beyond_sqlite", beyond, "no date that Prisma can read in SQLite", False)
        digits = _FRACTION_DIGITS.search(type_text)
        if digits is None or int(digits[1]) > _MILLISECOND_DIGITS:
            finer = f"isfinite({name}) AND date_trunc('milliseconds', {name}) <> {name}"
            yield _Hazard(column.name, "finer_than_milliseconds", finer, "finer than SQLite's milliseconds", True)
    elif column.kind is Kind.DOUBLE:
        yield _Hazard(column.name, "not_a_number", f"{name} = 'NaN'", "NaN, which SQLite stores as NULL", False)
        negative_zero = f"float8send({name}) = '\\x8000000000000000'::bytea"
        yield _Hazard(column.name, "negative_zero", negative_zero, "-0.0, which SQLite stores as 0.0", True)


def _type_text(target: LockedTarget, table: str, column: str) -> str:
    found = target.catalog.tables[table].column(column)
    assert found is not None
    return found.type_text
