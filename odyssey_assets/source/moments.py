"""Dates as text, the way the application reads them: many forms in one column, decided value by value.

Belongs here: parsing text to milliseconds of UTC, vectorised over byte matrices of equal length.
Does not belong here: integers (``values``), or what to do with text that is no date.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_DATE_AND_TIME = 15
"""Bytes of ``-MM-DDTHH:MM:SS``, which follow the year."""
_MILLISECONDS_PER_DAY = 86_400_000
_MAX_FRACTION_DIGITS = 9
_DAYS_IN_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@dataclass(frozen=True)
class _Layout:
    """How many bytes the year, the fraction with its point, and the zone take."""

    year: int
    fraction: int
    zone: str

    @property
    def zone_start(self) -> int:
        return self.year + _DATE_AND_TIME + self.fraction


_ZONES = {"": 0, "Z": 1, "+HH": 3, "+HHMM": 5, "+HH:MM": 6}
_YEARS = (4, 6, 7)
"""Four digits, or a sign with five (as Rust prints) or six (as JavaScript prints)."""


def parse_moments(text: pa.StringArray) -> tuple[Integers, Flags]:
    """Milliseconds since 1970 in UTC for each value, and whether the value is a date at all.

    Digits beyond milliseconds are cut, never rounded. NULLs count as no date. What is read:
    ``YYYY-MM-DD``, ``T`` or a space, ``HH:MM:SS``, up to nine fraction digits, then ``Z``, a numeric offset or nothing.
    """
    count = len(text)
    milliseconds = np.zeros(count, dtype=np.int64)
    is_moment = np.zeros(count, dtype=np.bool_)
    if count == 0:
        return milliseconds, is_moment
    _, offsets_buffer, data_buffer = text.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32)[text.offset : text.offset + count + 1].astype(np.int64)
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.zeros(0, dtype=np.uint8)
    lengths = np.diff(offsets)
    filled = text.is_valid().to_numpy(zero_copy_only=False)
    for length in np.unique(lengths[filled]):
        rows = np.flatnonzero(filled & (lengths == length))
        layouts = _layouts_of(int(length))
        if not layouts:
            continue
        matrix = data[offsets[rows][:, None] + np.arange(length)]
        for layout in layouts:
            values, fits = _parse_matrix(matrix, layout)
            milliseconds[rows[fits]] = values[fits]
            is_moment[rows[fits]] = True
    return milliseconds, is_moment


def _layouts_of(length: int) -> tuple[_Layout, ...]:
    """Every layout that takes ``length`` bytes; at most one of them fits a given text."""
    return tuple(
        _Layout(year, fraction, zone)
        for year in _YEARS
        for zone, zone_bytes in _ZONES.items()
        if (fraction := length - year - _DATE_AND_TIME - zone_bytes) == 0 or 2 <= fraction <= _MAX_FRACTION_DIGITS + 1
    )


def _parse_matrix(text: Bytes, layout: _Layout) -> tuple[Integers, Flags]:
    start = layout.year
    year, fits = _year(text[:, :start])
    month, month_fits = _number(text[:, start + 1 : start + 3])
    day, day_fits = _number(text[:, start + 4 : start + 6])
    hour, hour_fits = _number(text[:, start + 7 : start + 9])
    minute, minute_fits = _number(text[:, start + 10 : start + 12])
    second, second_fits = _number(text[:, start + 13 : start + 15])
    fits &= month_fits & day_fits & hour_fits & minute_fits & second_fits
    fits &= (text[:, start] == ord("-")) & (text[:, start + 3] == ord("-"))
    fits &= (text[:, start + 6] == ord("T")) | (text[:, start + 6] == ord(" "))
    fits &= (text[:, start + 9] == ord(":")) & (text[:, start + 12] == ord(":"))
    fits &= (month >= 1) & (month <= 12) & (hour <= 23) & (minute <= 59) & (second <= 59)
    fits &= (day >= 1) & (day <= _days_in_month(year, np.clip(month, 1, 12)))
    fraction, fraction_fits = _fraction(text[:, start + _DATE_AND_TIME : layout.zone_start])
    offset_minutes, zone_fits = _zone(text[:, layout.zone_start :], layout.zone)
    fits &= fraction_fits & zone_fits
    minutes = (hour * 60 + minute) - offset_minutes
    days = _days_since_1970(year, month, day)
    return days * _MILLISECONDS_PER_DAY + minutes * 60_000 + second * 1000 + fraction, fits


def _number(digits: Bytes) -> tuple[Integers, Flags]:
    values = digits.astype(np.int64) - ord("0")
    powers = 10 ** np.arange(digits.shape[1] - 1, -1, -1, dtype=np.int64)
    return values @ powers, np.asarray(((values >= 0) & (values <= 9)).all(axis=1))


def _year(text: Bytes) -> tuple[Integers, Flags]:
    if text.shape[1] == 4:
        return _number(text)
    value, fits = _number(text[:, 1:])
    is_negative: Flags = text[:, 0] == ord("-")
    fits &= is_negative | (text[:, 0] == ord("+"))
    fits &= ~is_negative | (value != 0)
    return np.where(is_negative, -value, value), fits


def _fraction(text: Bytes) -> tuple[Integers, Flags]:
    if text.shape[1] == 0:
        return np.zeros(len(text), dtype=np.int64), np.ones(len(text), dtype=np.bool_)
    _, fits = _number(text[:, 1:])
    shown = text[:, 1:4]
    value, _ = _number(shown)
    return value * 10 ** (3 - shown.shape[1]), fits & (text[:, 0] == ord("."))


def _zone(text: Bytes, zone: str) -> tuple[Integers, Flags]:
    """Minutes east of UTC."""
    if zone == "":
        return np.zeros(len(text), dtype=np.int64), np.ones(len(text), dtype=np.bool_)
    if zone == "Z":
        return np.zeros(len(text), dtype=np.int64), text[:, 0] == ord("Z")
    hours, fits = _number(text[:, 1:3])
    minutes = np.zeros(len(text), dtype=np.int64)
    if zone != "+HH":
        minutes, minutes_fit = _number(text[:, -2:])
        fits &= minutes_fit & (minutes <= 59)
    if zone == "+HH:MM":
        fits &= text[:, 3] == ord(":")
    is_negative = text[:, 0] == ord("-")
    fits = fits & (is_negative | (text[:, 0] == ord("+"))) & (hours <= 23)
    east = hours * 60 + minutes
    return np.where(is_negative, -east, east), fits


def _days_in_month(year: Integers, month: Integers) -> Integers:
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return np.asarray(_DAYS_IN_MONTH[month] + (is_leap & (month == 2)), dtype=np.int64)


def _days_since_1970(year: Integers, month: Integers, day: Integers) -> Integers:
    """The proleptic Gregorian calendar, counted in eras of 400 years that begin in March."""
    shifted_year = year - (month <= 2)
    era = shifted_year // 400
    year_of_era = shifted_year - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return np.asarray(era * 146_097 + day_of_era - 719_468, dtype=np.int64)
