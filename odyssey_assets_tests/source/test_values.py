"""Each reason why a value cannot be carried is planted once and named with its row; its equal twin stays silent.

Belongs here: conversion of arrays. Does not belong here: dates as text in depth (``test_moments``), or SQLite.
"""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from odyssey_assets.model.carried import CarriedColumn
from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind
from odyssey_assets.source.values import (
    EARLIEST_MILLISECONDS,
    LATEST_MILLISECONDS,
    MISFIT_PART,
    Conversion,
    Reason,
    convert_column,
)


def text_of(*values: bytes | None) -> pa.StringArray:
    """Text as SQLite holds it, which may be no UTF-8."""
    return pa.array(values, pa.binary()).view(pa.string())


def column(kind: Kind, target_type: str, *, required: bool = False, labels: tuple[str, ...] = ()) -> CarriedColumn:
    return CarriedColumn("value", kind, target_type, required, labels)


def named_rows(conversion: Conversion) -> dict[Reason, list[int]]:
    assert {misfit.column for misfit in conversion.misfits} <= {"value"}
    assert len({misfit.reason for misfit in conversion.misfits}) == len(conversion.misfits)
    return {misfit.reason: misfit.rows.tolist() for misfit in conversion.misfits}


@dataclass(frozen=True)
class Case:
    """A column as it was read, its values in canonical form, and the rows that are misfits."""

    column: CarriedColumn
    parts: dict[str, pa.Array]
    values: list[object]
    misfits: dict[Reason, list[int]] = field(default_factory=dict)


TEXT = column(Kind.TEXT, "text")
INTEGER = column(Kind.INTEGER, "integer")
BOOLEAN = column(Kind.BOOLEAN, "boolean")
MOMENT = column(Kind.MOMENT, "timestamp without time zone")
JSONB = column(Kind.JSON, "jsonb")
ROLE = column(Kind.ENUM, "Role", labels=("USER", "ADMIN"))
NINE = datetime(2025, 10, 10, 9)
NINE_MILLISECONDS = 1_760_086_800_000

PLANTED = {
    "a BLOB where text belongs": Case(
        TEXT,
        {"text": pa.array(["a", None, "b"]), MISFIT_PART: pa.array([None, "blob", None])},
        ["a", None, "b"],
        {Reason.STORAGE_CLASS: [1]},
    ),
    "text that is not UTF-8": Case(
        TEXT, {"text": text_of(b"a", b"\xff", b"\xc3\xa9", None)}, ["a", None, "é", None], {Reason.NOT_UTF8: [1]}
    ),
    "text cut within a character": Case(
        TEXT, {"text": text_of(b"\xc3", b"\xa9")}, [None, None], {Reason.NOT_UTF8: [0, 1]}
    ),
    "a surrogate in UTF-8": Case(TEXT, {"text": text_of(b"\xed\xa0\x80")}, [None], {Reason.NOT_UTF8: [0]}),
    "a NUL in text": Case(
        TEXT,
        {"text": pa.array(["a\x00b", "\x00", "ab", None])},
        [None, None, "ab", None],
        {Reason.NUL_CHARACTER: [0, 1]},
    ),
    "a NUL beside text that is not UTF-8": Case(
        TEXT,
        {"text": text_of(b"\xff\x00", b"a\x00", b"a")},
        [None, None, "a"],
        {Reason.NOT_UTF8: [0], Reason.NUL_CHARACTER: [1]},
    ),
    "an integer beyond 32 bits": Case(
        INTEGER,
        {"integer": pa.array([2**31, -(2**31) - 1, 2**31 - 1, -(2**31), None])},
        [None, None, 2**31 - 1, -(2**31), None],
        {Reason.OUT_OF_RANGE: [0, 1]},
    ),
    "an integer beyond 16 bits": Case(
        column(Kind.INTEGER, "smallint"),
        {"integer": pa.array([2**15, 2**15 - 1, -(2**15)])},
        [None, 2**15 - 1, -(2**15)],
        {Reason.OUT_OF_RANGE: [0]},
    ),
    "2 where a boolean belongs": Case(
        BOOLEAN,
        {"integer": pa.array([0, 1, 2, -1, None])},
        [False, True, None, None, None],
        {Reason.NOT_BOOLEAN: [2, 3]},
    ),
    "text that is no date": Case(
        MOMENT,
        {"text": pa.array(["2025-10-10", "2025-10-10 09:00:00", "", None])},
        [None, NINE, None, None],
        {Reason.NOT_A_DATE: [0, 2]},
    ),
    "a number of milliseconds beyond PostgreSQL's calendar": Case(
        MOMENT,
        {"integer": pa.array([LATEST_MILLISECONDS + 1, EARLIEST_MILLISECONDS - 1, 2**63 - 1, -(2**63), 0])},
        [None, None, None, None, datetime(1970, 1, 1)],
        {Reason.DATE_OUT_OF_RANGE: [0, 1, 2, 3]},
    ),
    "text beyond PostgreSQL's calendar": Case(
        MOMENT,
        {"text": pa.array(["+294247-01-10T04:00:54.776Z", "-004713-11-23T23:59:59.999Z", "2025-10-10T09:00:00Z"])},
        [None, None, NINE],
        {Reason.DATE_OUT_OF_RANGE: [0, 1]},
    ),
    "seconds where milliseconds belong": Case(
        MOMENT,
        {"integer": pa.array([1_000_000_000, 1_760_086_800, 4_200_000_000, 999_999_999, 4_200_000_001])},
        [None, None, None, datetime(1970, 1, 12, 13, 46, 39, 999_000), datetime(1970, 2, 18, 14, 40, 0, 1000)],
        {Reason.DATE_IN_SECONDS: [0, 1, 2]},
    ),
    "a label the target does not have": Case(
        ROLE,
        {"text": pa.array(["USER", "user", "USER ", "", None, "ADMIN"])},
        ["USER", None, None, None, None, "ADMIN"],
        {Reason.UNKNOWN_LABEL: [1, 2, 3]},
    ),
    "text that is no JSON": Case(
        JSONB,
        {"text": pa.array(["{}", "{", "NaN", '"\\u0000"', None, '"\\\\u0000"', "{"])},
        ["{}", None, None, None, None, '"\\\\u0000"', None],
        {Reason.NOT_JSON: [1, 2, 3, 6]},
    ),
    "NULL where a value is required": Case(
        column(Kind.TEXT, "text", required=True), {"text": pa.array(["", None])}, ["", None], {Reason.REQUIRED: [1]}
    ),
    "a required value that is a misfit already": Case(
        column(Kind.BOOLEAN, "boolean", required=True),
        {"integer": pa.array([1, None, 7, None]), MISFIT_PART: pa.array([None, "text", None, None])},
        [True, None, None, None],
        {Reason.NOT_BOOLEAN: [2], Reason.STORAGE_CLASS: [1], Reason.REQUIRED: [3]},
    ),
    "every kind of misfit of a mixed date column": Case(
        column(Kind.MOMENT, "timestamp without time zone", required=True),
        {
            "integer": pa.array([NINE_MILLISECONDS, None, 1_760_086_800, None, None, None]),
            "text": pa.array([None, "2025-10-10 09:00:00", None, "soon", None, None]),
            MISFIT_PART: pa.array([None, None, None, None, "real", None]),
        },
        [NINE, NINE, None, None, None, None],
        {
            Reason.DATE_IN_SECONDS: [2],
            Reason.NOT_A_DATE: [3],
            Reason.STORAGE_CLASS: [4],
            Reason.REQUIRED: [5],
        },
    ),
}

SILENT = {
    "text": Case(TEXT, {"text": pa.array(["", " ", "\x01", "\\u0000", "\U0001f680\u200d", None])},
                 ["", " ", "\x01", "\\u0000", "\U0001f680\u200d", None]),
    "documents in a text column": Case(column(Kind.JSON, "text"), {"text": pa.array(["{", "NaN"])}, ["{", "NaN"]),
    "documents as they are spelled": Case(JSONB, {"text": pa.array([' {"b":1.0, "a":[]}'])}, [' {"b":1.0, "a":[]}']),
    "labels in a text column": Case(column(Kind.ENUM, "text"), {"text": pa.array(["USER", "user", None])},
                                    ["USER", "user", None]),
    "64-bit integers": Case(
        column(Kind.INTEGER, "bigint"), {"integer": pa.array([2**63 - 1, -(2**63), None])}, [2**63 - 1, -(2**63), None]
    ),
    "doubles": Case(
        column(Kind.DOUBLE, "double precision"),
        {"real": pa.array([float("inf"), float("-inf"), 5e-324, None])},
        [float("inf"), float("-inf"), 5e-324, None],
    ),
    "numbers of milliseconds": Case(
        MOMENT,
        {"integer": pa.array([0, -1, NINE_MILLISECONDS + 123, None])},
        [datetime(1970, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999_000), NINE.replace(microsecond=123_000), None],
    ),
    "numbers and text in one column": Case(
        MOMENT,
        {
            "integer": pa.array([NINE_MILLISECONDS, None, None, None]),
            "text": pa.array([None, "2025-10-10T11:00:00.000+02:00", "1970-01-01 00:00:00", None]),
        },
        [NINE, NINE, datetime(1970, 1, 1), None],
    ),
    "required values": Case(column(Kind.INTEGER, "integer", required=True), {"integer": pa.array([0])}, [0]),
}  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in (PLANTED | SILENT).items()])
@pytest.mark.parametrize("is_sliced", [False, True], ids=["whole", "sliced"])
def test_values_are_carried_or_named(case: Case, is_sliced: bool) -> None:
    parts = case.parts
    if is_sliced:
        parts = {name: pa.concat_arrays([part, part, part]).slice(len(part), len(part)) for name, part in parts.items()}
    conversion = convert_column(case.column, parts)
    assert named_rows(conversion) == case.misfits
    assert conversion.values.type == CANONICAL_TYPE[case.column.kind]
    assert conversion.values.to_pylist() == case.values
    conversion.values.validate(full=True)


def test_every_reason_is_planted() -> None:
    assert {reason for case in PLANTED.values() for reason in case.misfits} == set(Reason)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in PLANTED.items()])
def test_the_rows_beside_a_misfit_alone_are_silent(case: Case) -> None:
    bad = {row for rows in case.misfits.values() for row in rows}
    good = [row for row in range(len(case.values)) if row not in bad]
    conversion = convert_column(
        case.column, {name: part.take(pa.array(good, pa.int64())) for name, part in case.parts.items()}
    )
    assert conversion.misfits == ()
    assert conversion.values.to_pylist() == [case.values[row] for row in good]


@pytest.mark.parametrize("kind", Kind)
def test_an_empty_batch_is_empty(kind: Kind) -> None:
    part = {Kind.INTEGER: "integer", Kind.BOOLEAN: "integer", Kind.MOMENT: "integer", Kind.DOUBLE: "real"}
    types = {"integer": pa.int64(), "real": pa.float64(), "text": pa.string()}
    name = part.get(kind, "text")
    conversion = convert_column(column(kind, "text", required=True), {name: pa.array([], types[name])})
    assert (len(conversion.values), conversion.misfits) == (0, ())


@pytest.mark.parametrize("bytes_beside", [b"a\x00b", b"\xff"], ids=["NUL", "not UTF-8"])
def test_bytes_outside_the_slice_are_not_judged(bytes_beside: bytes) -> None:
    texts = text_of(bytes_beside, b"inside", bytes_beside)
    conversion = convert_column(TEXT, {"text": texts.slice(1, 1)})
    assert conversion.misfits == ()
    assert conversion.values.to_pylist() == ["inside"]


def test_doubles_keep_their_bits() -> None:
    doubles = np.array([0.0, -0.0, 0.1, np.nan, np.inf])
    conversion = convert_column(column(Kind.DOUBLE, "double precision"), {"real": pa.array(doubles)})
    assert conversion.values.to_numpy().tobytes() == doubles.tobytes()


def test_the_calendar_ends_where_postgresql_or_64_bits_end(database_uri: str) -> None:
    edges = convert_column(MOMENT, {"integer": pa.array([EARLIEST_MILLISECONDS, LATEST_MILLISECONDS])})
    assert edges.misfits == ()
    with psycopg.connect(database_uri) as connection:
        found = connection.execute(
            "SELECT extract(epoch FROM timestamp '4714-11-24 00:00:00 BC') * 1000,"
            " extract(epoch FROM timestamp '294247-01-10 04:00:54.775') * 1000,"
            " pg_input_is_valid('4714-11-23 23:59:59.999 BC', 'timestamp')"
        ).fetchone()
    assert found == (EARLIEST_MILLISECONDS, LATEST_MILLISECONDS, False)
    assert edges.values.cast(pa.int64()).to_pylist() == [EARLIEST_MILLISECONDS * 1000, LATEST_MILLISECONDS * 1000]
    assert (LATEST_MILLISECONDS + 1) * 1000 > 2**63 - 1
