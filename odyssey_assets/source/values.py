"""From what SQLite stored to the canonical Arrow form, deciding value by value what can be carried.

Belongs here: conversion and the reasons why a value cannot be carried, vectorised over record batches.
Does not belong here: reading (``reader``), or what is done about such values (``preflight``, ``sync``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from odyssey_assets.model.carried import CarriedColumn
from odyssey_assets.model.json_documents import is_storable_document
from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind
from odyssey_assets.source.moments import parse_moments

Flags = npt.NDArray[np.bool_]

EARLIEST_MILLISECONDS = -210_866_803_200_000
"""4714-11-24 00:00 BC, where PostgreSQL's timestamps begin."""
LATEST_MILLISECONDS = 9_223_372_036_854_775
"""294247-01-10, where 64-bit microseconds since 1970 end; PostgreSQL itself ends 29 years later."""
SECONDS_LOOKALIKE = (1_000_000_000, 4_200_000_000)
"""Between these a number is a date of 2001 to 2103 in seconds, or one of early 1970 in milliseconds."""

INTEGER_RANGE: dict[str, tuple[int, int]] = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}

INTEGER_PART = "integer"
TEXT_PART = "text"
MISFIT_PART = "misfit"


class Reason(StrEnum):
    """Why a value cannot be carried."""

    STORAGE_CLASS = "storage_class"
    NOT_UTF8 = "not_utf8"
    NUL_CHARACTER = "nul_character"
    OUT_OF_RANGE = "integer_out_of_range"
    NOT_BOOLEAN = "not_boolean"
    NOT_A_DATE = "not_a_date"
    DATE_OUT_OF_RANGE = "date_out_of_range"
    DATE_IN_SECONDS = "date_in_seconds"
    UNKNOWN_LABEL = "unknown_enum_label"
    NOT_JSON = "not_json"
    REQUIRED = "null_in_required_column"


@dataclass(frozen=True)
class Misfit:
    """Values of one column of one batch that cannot be carried; ``rows`` are positions in the batch."""

    column: str
    reason: Reason
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Conversion:
    """A column in canonical form, NULL where a misfit names the row."""

    values: pa.Array
    misfits: tuple[Misfit, ...]


def convert_column(column: CarriedColumn, parts: dict[str, pa.Array]) -> Conversion:
    """Convert the parts a column was read in: its usual class, or for a mixed column one array a storage class."""
    values, flags_by_reason = _CONVERTERS[column.kind](column, parts)
    if MISFIT_PART in parts:
        flags_by_reason[Reason.STORAGE_CLASS] = _flags(parts[MISFIT_PART].is_valid())
    if column.is_required and values.null_count:
        named = np.zeros(len(values), dtype=np.bool_)
        for flags in flags_by_reason.values():
            named |= flags
        flags_by_reason[Reason.REQUIRED] = _flags(values.is_null()) & ~named
    misfits = tuple(
        Misfit(column.name, reason, np.flatnonzero(flags)) for reason, flags in flags_by_reason.items() if flags.any()
    )
    return Conversion(values, misfits)


Converted = tuple[pa.Array, dict[Reason, Flags]]


def _convert_text(column: CarriedColumn, parts: dict[str, pa.Array]) -> Converted:
    text = parts[TEXT_PART]
    flags: dict[Reason, Flags] = {}
    if not _is_utf8(text):
        flags[Reason.NOT_UTF8] = np.array([not _is_utf8(text.slice(row, 1)) for row in range(len(text))])
        text = _without(text, flags[Reason.NOT_UTF8])
    if _has_nul(text):
        flags[Reason.NUL_CHARACTER] = _flags(pc.match_substring(text, "\x00"))
        text = _without(text, flags[Reason.NUL_CHARACTER])
    return text, flags


def _convert_enum(column: CarriedColumn, parts: dict[str, pa.Array]) -> Converted:
    text, flags = _convert_text(column, parts)
    if not column.labels:
        return text, flags
    known = pc.is_in(text, value_set=pa.array([*column.labels, None], pa.string()))
    if not pc.all(known).as_py():
        flags[Reason.UNKNOWN_LABEL] = ~_flags(known)
        text = _without(text, flags[Reason.UNKNOWN_LABEL])
    return text, flags


def _convert_json(column: CarriedColumn, parts: dict[str, pa.Array]) -> Converted:
    text, flags = _convert_text(column, parts)
    if column.is_json_document:
        distinct = text.dictionary_encode()
        storable = pa.array([is_storable_document(each) for each in distinct.dictionary.to_pylist()], pa.bool_())
        bad = _flags(pc.invert(storable.take(distinct.indices)))
        if bad.any():
            flags[Reason.NOT_JSON] = bad
            text = _without(text, bad)
    return text, flags


def _convert_integer(column: CarriedColumn, parts: dict[str, pa.Array]) -> Converted:
    numbers = parts[INTEGER_PART]
    lowest, highest = INTEGER_RANGE.get(column.target_type, INTEGER_RANGE["bigint"])
    if not _is_within(numbers, lowest, highest):
        beyond = _flags(pc.or_(pc.less(numbers, lowest), pc.greater(numbers, highest)))
        return _without(numbers, beyond), {Reason.OUT_OF_RANGE: beyond}
    return numbers, {}


def _convert_double(column: CarriedColumn, parts: dict[str, pa.Array]) -> Converted:
    return parts["real"], {}


def _convert_boolean(column: CarriedColumn, parts: dict[str, pa.Array]) -> Converted:
    numbers = parts[INTEGER_PART]
    if _is_within(numbers, 0, 1):
        return numbers.cast(pa.bool_()), {}
    beyond = _flags(pc.or_(pc.less(numbers, 0), pc.greater(numbers, 1)))
    return _without(numbers, beyond).cast(pa.bool_()), {Reason.NOT_BOOLEAN: beyond}


def _convert_moment(column: CarriedColumn, parts: dict[str, pa.Array]) -> Converted:
    numbers = parts.get(INTEGER_PART)
    if parts.keys() == {INTEGER_PART} and _is_within(numbers, SECONDS_LOOKALIKE[1] + 1, LATEST_MILLISECONDS):
        # By far the most batches: dates of this time, all of them numbers.
        return pc.multiply(numbers, 1000).cast(CANONICAL_TYPE[Kind.MOMENT]), {}
    some = next(part for name, part in parts.items() if name != MISFIT_PART)
    milliseconds = np.zeros(len(some), dtype=np.int64)
    filled = np.zeros(len(some), dtype=np.bool_)
    flags: dict[Reason, Flags] = {}
    if numbers is not None:
        is_number = _flags(numbers.is_valid())
        milliseconds = np.array(pc.fill_null(numbers, 0), dtype=np.int64)
        filled |= is_number
        low, high = SECONDS_LOOKALIKE
        in_seconds = is_number & (milliseconds >= low) & (milliseconds <= high)
        if in_seconds.any():
            flags[Reason.DATE_IN_SECONDS] = in_seconds
    if TEXT_PART in parts:
        text = parts[TEXT_PART]
        from_text, is_moment = parse_moments(text)
        is_text = _flags(text.is_valid())
        milliseconds = np.where(is_moment, from_text, milliseconds)
        filled |= is_moment
        not_a_date = is_text & ~is_moment
        if not_a_date.any():
            flags[Reason.NOT_A_DATE] = not_a_date
    beyond = filled & ((milliseconds < EARLIEST_MILLISECONDS) | (milliseconds > LATEST_MILLISECONDS))
    if beyond.any():
        flags[Reason.DATE_OUT_OF_RANGE] = beyond
    for bad in flags.values():
        filled &= ~bad
    microseconds = np.where(filled, milliseconds, 0) * 1000
    return pa.array(microseconds, mask=~filled).cast(CANONICAL_TYPE[Kind.MOMENT]), flags


_CONVERTERS: dict[Kind, Callable[[CarriedColumn, dict[str, pa.Array]], Converted]] = {
    Kind.TEXT: _convert_text,
    Kind.ENUM: _convert_enum,
    Kind.JSON: _convert_json,
    Kind.INTEGER: _convert_integer,
    Kind.DOUBLE: _convert_double,
    Kind.BOOLEAN: _convert_boolean,
    Kind.MOMENT: _convert_moment,
}


def _is_within(numbers: pa.Int64Array, lowest: int, highest: int) -> bool:
    """Whether all numbers are in a range, its ends included; looked at before anything is made for each of them."""
    found = pc.min_max(numbers)
    least, greatest = found["min"].as_py(), found["max"].as_py()
    return least is None or (lowest <= least and greatest <= highest)


def _flags(mask: pa.BooleanArray) -> Flags:
    return np.array(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _without(values: pa.Array, flags: Flags) -> pa.Array:
    return pc.if_else(pa.array(flags), pa.scalar(None, values.type), values) if flags.any() else values


def _is_utf8(text: pa.StringArray) -> bool:
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _has_nul(text: pa.StringArray) -> bool:
    """Whether the bytes of the array hold a NUL anywhere; a hit in bytes no row uses costs only a second look."""
    data = text.buffers()[2]
    return data is not None and data.size > 0 and not np.frombuffer(data, dtype=np.uint8).all()
