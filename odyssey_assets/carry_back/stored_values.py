"""Values as the application stores them in SQLite, made from the canonical form.

Dates take the form in which the application wrote most of those the column has: INTEGER milliseconds or ISO text. Text
without a ``T`` does not count, for SQL defaults wrote it and not the application.

Belongs here: forms and conversion. Does not belong here: reading what SQLite holds (``source.values``).
"""

import sqlite3
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind
from odyssey_assets.source.snapshot import open_snapshot
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.source.values import SECONDS_LOOKALIKE

_YEAR_ZERO_MILLISECONDS = -62_167_219_200_000
_YEAR_TEN_THOUSAND_MILLISECONDS = 253_402_300_800_000
"""Between these a year has four digits, as ISO text has room for."""


class DateForm(StrEnum):
    """How the application stores a date."""

    INTEGER = "integer"
    ISO = "iso"


def date_forms(base: Path, surveys: Iterable[TableSurvey], wanted: frozenset[str]) -> dict[str, dict[str, DateForm]]:
    """The form of each date column of the tables ``wanted``; that of the whole base where a column has no dates."""
    everything = {survey.table: survey for survey in surveys}
    with open_snapshot(base) as connection:
        counts = {name: _counts(connection, everything[name]) for name in wanted}
        forms = {table: {name: _form(*count) for name, count in found.items()} for table, found in counts.items()}
        if any(form is None for found in forms.values() for form in found.values()):
            rest = [_counts(connection, survey) for name, survey in everything.items() if name not in wanted]
            columns = [count for found in (*counts.values(), *rest) for count in found.values()]
            usual = _form(sum(count for count, _ in columns), sum(count for _, count in columns)) or DateForm.INTEGER
    return {
        table: {name: usual if form is None else form for name, form in found.items()} for table, found in forms.items()
    }


def stored_values(kind: Kind, array: pa.Array, form: DateForm = DateForm.INTEGER) -> list[object]:
    """A comparable array as values to bind; ``form`` is for dates."""
    match kind:
        case Kind.DOUBLE:
            return list(array.view(pa.float64()).to_pylist())
        case Kind.BOOLEAN:
            return list(array.cast(pa.int8()).to_pylist())
        case Kind.MOMENT:
            return _stored_moments(array, form)
        case _:
            return list(array.to_pylist())


def _stored_moments(array: pa.Array, form: DateForm) -> list[object]:
    is_filled = array.is_valid().to_numpy(zero_copy_only=False)
    microseconds = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    milliseconds = np.floor_divide(microseconds, 1000)
    if form is DateForm.ISO:
        as_text = (milliseconds >= _YEAR_ZERO_MILLISECONDS) & (milliseconds < _YEAR_TEN_THOUSAND_MILLISECONDS)
    else:
        # As a number such a date would be read as seconds of another year.
        low, high = SECONDS_LOOKALIKE
        as_text = (milliseconds >= low) & (milliseconds <= high)
    as_text &= is_filled
    values: list[object] = [
        number if filled else None for number, filled in zip(milliseconds.tolist(), is_filled.tolist(), strict=True)
    ]
    texts = np.datetime_as_string(milliseconds[as_text].astype("datetime64[ms]"), unit="ms").tolist()
    for row, text in zip(np.flatnonzero(as_text).tolist(), texts, strict=True):
        values[row] = f"{text}+00:00"
    return values


def _counts(connection: sqlite3.Connection, survey: TableSurvey) -> dict[str, tuple[int, int]]:
    """Dates as numbers and dates as ISO text, by column."""
    dates = [column for column in survey.columns.values() if column.kind is Kind.MOMENT]
    mixed = [column.name for column in dates if "text" in column.rows_by_class]
    iso: dict[str, int] = {}
    if mixed:
        counts = ", ".join(f"count(CASE WHEN substr({quoted(name)}, 11, 1) = 'T' THEN 1 END)" for name in mixed)
        found = connection.execute(f"SELECT {counts} FROM {quoted(survey.table)} NOT INDEXED").fetchone()
        iso = dict(zip(mixed, found, strict=True))
    return {column.name: (column.rows_by_class.get("integer", 0), iso.get(column.name, 0)) for column in dates}


def _form(integers: int, texts: int) -> DateForm | None:
    if not integers and not texts:
        return None
    return DateForm.ISO if texts > integers else DateForm.INTEGER
