"""The three ways a moment is written in an Odyssey SQLite file.

Belongs here: byte formats of DateTime columns and the moments themselves. Does not belong here: which columns
are DateTime columns (the model says so).
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Moments = NDArray[np.datetime64]
"""UTC, ``datetime64[ms]``; NaT stands for NULL."""

FIRST_MOMENT = np.datetime64("2024-01-08T07:30:00.000", "ms")
LAST_MOMENT = np.datetime64("2025-10-10T09:00:00.000", "ms")

EXTREME_MOMENTS = np.array(
    [
        "1900-01-01T00:00:00.000",
        "1952-02-29T12:00:00.001",
        "1969-12-31T23:59:59.999",
        "1970-01-01T00:00:00.000",
        "2038-01-19T03:14:08.000",
        "2999-06-30T23:59:59.001",
        "9999-12-31T23:59:59.999",
    ],
    dtype="datetime64[ms]",
)
"""Moments that both databases hold exactly and that careless arithmetic gets wrong."""


class DateForm(StrEnum):
    """How Prisma writes a DateTime: INTEGER unix milliseconds (classic engine) or TEXT ISO 8601 (driver adapters)."""

    INTEGER = "integer"
    ISO = "iso"


def creation_moments(first: int, size: int, total: int) -> Moments:
    """When rows ``first`` to ``first + size`` of a table of ``total`` rows were written: evenly spread, in order."""
    index = np.arange(first, first + size, dtype=np.int64)
    span_ms = int((LAST_MOMENT - FIRST_MOMENT).astype(np.int64))
    steps_ms = (index * (span_ms / total)).astype(np.int64) + index * 7919 % 1000
    return FIRST_MOMENT + steps_ms.astype("timedelta64[ms]")


def stored_moments(moments: Moments, form: DateForm, backfilled: NDArray[np.bool_]) -> list[object]:
    """The values as they stand in the file: int, str or None.

    ``backfilled`` marks the rows written by SQLite's ``CURRENT_TIMESTAMP``: ``YYYY-MM-DD HH:MM:SS``, no zone.
    """
    if form is DateForm.INTEGER:
        stored = moments.astype(np.int64).astype(object)
    else:
        stored = np.asarray(np.datetime_as_string(moments, unit="ms").astype(object) + "+00:00", dtype=object)
    if backfilled.any():
        seconds = np.datetime_as_string(moments[backfilled].astype("datetime64[s]"))
        stored[backfilled] = [text.replace("T", " ") for text in seconds.tolist()]
    stored[np.isnat(moments)] = None
    values: list[object] = stored.tolist()
    return values
