"""Dates as text are read exactly as far as they are dates, whatever stands beside them.

Belongs here: one text, many texts, slices and NULLs. Does not belong here: what becomes of refused text (``values``).
"""

import re
from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_assets.source.moments import parse_moments

FORM = re.compile(
    r"([+-]\d{5,6}|\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
MILLISECONDS_IN_400_YEARS = 146_097 * 86_400_000
ZONES = ["", "Z", "+HH", "+HHMM", "+HH:MM"]


def expected_milliseconds(text: str | None) -> int | None:
    """What one text means by a regular expression and ``datetime``; None where it is no date."""
    found = FORM.fullmatch(text or "")
    if found is None or found[1] in ("-00000", "-000000"):
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    # datetime ends at the year 9999; the calendar repeats every 400 years.
    cycles, year_of_cycle = divmod(year - 2000, 400)
    try:
        moment = datetime(2000 + year_of_cycle, month, day, hour, minute, second)
    except ValueError:
        return None
    east = int(found[9] or 0) * 60 + int(found[10] or 0)
    if east >= 24 * 60 or int(found[10] or 0) > 59:
        return None
    since_1970 = moment - datetime(1970, 1, 1)
    milliseconds = (since_1970.days * 86_400 + since_1970.seconds) * 1000 + int(((found[7] or "") + "000")[:3])
    return milliseconds + cycles * MILLISECONDS_IN_400_YEARS - (-east if found[8] == "-" else east) * 60_000


def parsed(texts: pa.StringArray) -> list[int | None]:
    milliseconds, is_moment = parse_moments(texts)
    assert len(milliseconds) == len(is_moment) == len(texts)
    return [int(value) if fits else None for value, fits in zip(milliseconds, is_moment, strict=True)]


@st.composite
def dates(draw: st.DrawFn, extended: bool) -> str:
    """A text in one of the layouts; with ``extended`` years also before 1 and after 9999."""
    moment = draw(st.datetimes())
    year = f"{moment.year:04}"
    if extended:
        digits = draw(st.sampled_from([5, 6]))
        number = draw(st.integers(1, 10**digits - 1))
        # Moved by whole cycles, so that 29 February stays a day.
        number = max(number - (number - moment.year) % 400, moment.year % 400 or 400)
        year = f"{draw(st.sampled_from('+-'))}{number:0{digits}}"
        if year[0] == "-" and (moment.month, moment.day) == (2, 29):
            moment = moment.replace(day=28)
    fraction = draw(st.text("0123456789", max_size=9))
    hours, minutes = draw(st.integers(0, 23)), draw(st.integers(0, 59))
    zone = draw(st.sampled_from(ZONES)).replace("HH", f"{hours:02}").replace("MM", f"{minutes:02}")
    if zone.startswith("+") and draw(st.booleans()):
        zone = "-" + zone[1:]
    separator = draw(st.sampled_from("T "))
    return f"{year}-{moment:%m-%d}{separator}{moment:%H:%M:%S}{'.' + fraction if fraction else ''}{zone}"


@st.composite
def nearly_dates(draw: st.DrawFn) -> str:
    """A date with one character replaced, dropped or added: often still a date, and then another one."""
    text = draw(dates(extended=False) | dates(extended=True))
    at = draw(st.integers(0, len(text)))
    dropped = draw(st.integers(0, 1))
    return text[:at] + draw(st.text("0123456789TtZz +-:.é\x00", max_size=1)) + text[at + dropped :]


@settings(max_examples=80, deadline=None)
@given(st.lists(dates(extended=False), min_size=1, max_size=40))
def test_every_layout_of_the_years_1_to_9999_is_read(texts: list[str]) -> None:
    expected = [expected_milliseconds(text) for text in texts]
    assert None not in expected
    assert parsed(pa.array(texts)) == expected


@settings(max_examples=80, deadline=None)
@given(st.lists(dates(extended=True), min_size=1, max_size=40))
def test_signed_years_of_five_and_six_digits_are_read(texts: list[str]) -> None:
    expected = [expected_milliseconds(text) for text in texts]
    assert None not in expected
    assert parsed(pa.array(texts)) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.none() | dates(extended=False) | nearly_dates() | st.text(max_size=30), max_size=40),
    st.integers(0, 40),
    st.integers(0, 40),
)
def test_dates_are_told_from_all_other_text_in_any_slice(texts: list[str | None], offset: int, length: int) -> None:
    array = pa.array(texts, pa.string()).slice(min(offset, len(texts)), length)
    assert parsed(array) == [expected_milliseconds(text) for text in texts[offset : offset + length]]


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01 00:00:00", 0),
        ("1970-01-01T00:00:00.000Z", 0),
        ("1969-12-31 23:59:59.9999", -1),
        ("2025-10-10T09:00:00.000+00:00", 1_760_086_800_000),
        ("2025-10-10 09:00:00", 1_760_086_800_000),
        ("2025-10-10T09:00:00.123999999Z", 1_760_086_800_123),
        ("2025-10-10T14:30:00.5+05:30", 1_760_086_800_500),
        ("2025-10-10 00:00:00-0900", 1_760_086_800_000),
        ("2025-10-10 11:00:00+02", 1_760_086_800_000),
        ("2000-02-29 00:00:00", 951_782_400_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("9999-12-31T23:59:59.999-01:00", 253_402_304_399_999),
        ("0001-01-01 00:00:00", -62_135_596_800_000),
        ("0000-12-31 23:59:59.999", -62_135_596_800_001),
        ("+10000-01-01T00:00:00Z", 253_402_300_800_000),
        ("+010000-01-01T00:00:00Z", 253_402_300_800_000),
        ("+012025-10-10T09:00:00Z", 317_329_606_800_000),
        ("-000001-12-31T23:59:59.999Z", -62_167_219_200_001),
        ("-000043-03-15T12:00:00Z", -63_517_780_800_000),
        ("-004713-11-24T00:00:00Z", -210_866_803_200_000),
    ],
)
def test_a_known_moment_is_read(text: str, milliseconds: int) -> None:
    assert parsed(pa.array([text])) == [milliseconds]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "now",
        "2025",
        "2025-10-10",
        "2025-10-10T09:00",
        "2025-10-10T09:00Z",
        "2025-00-10T09:00:00Z",
        "2025-13-10T09:00:00Z",
        "2025-10-00T09:00:00Z",
        "2025-10-32T09:00:00Z",
        "2025-04-31T09:00:00Z",
        "2024-02-30T09:00:00Z",
        "2025-02-29T09:00:00Z",
        "1900-02-29T09:00:00Z",
        "2025-10-10T24:00:00Z",
        "2025-10-10T09:60:00Z",
        "2025-10-10T23:59:60Z",
        "2025-10-10t09:00:00Z",
        "2025-10-10T09:00:00z",
        "2025-10-10_09:00:00",
        "2025-10-10  09:00:00",
        "2025-10-10T09:00:00 ",
        " 2025-10-10T09:00:00",
        "2025-10-10T09:00:00Z\n",
        "2025-10-10T09:00:00.",
        "2025-10-10T09:00:00.Z",
        "2025-10-10T09:00:00,123",
        "2025-10-10T09:00:00.1234567890",
        "2025-10-10T09:00:00.12x",
        "2025-10-10T09:00:00+",
        "2025-10-10T09:00:00+1",
        "2025-10-10T09:00:00+24:00",
        "2025-10-10T09:00:00+01:60",
        "2025-10-10T09:00:00+01-00",
        "2025-10-10T09:00:00 +01:00",
        "2025-10-10T09:00:00UTC",
        "2025-10-1OT09:00:00Z",
        "2O25-10-10T09:00:00Z",
        "2025/10/10 09:00:00",
        "25-10-10T09:00:00Z",
        "12025-10-10T09:00:00Z",
        "+2025-10-10T09:00:00Z",
        "-2025-10-10T09:00:00Z",
        "-00000-10-10T09:00:00Z",
        "-000000-10-10T09:00:00Z",
        "+0012025-10-10T09:00:00Z",
        "1760086800000",
        "٢٠25-10-10T09:00:00Z",
    ],
)
def test_a_near_miss_is_refused_beside_dates_of_every_length(text: str) -> None:
    beside = ["2025-10-10 09:00:00", "2025-10-10T09:00:00.123+00:00", "+012025-10-10T09:00:00Z"]
    assert parsed(pa.array([beside[0], text, *beside[1:]]))[1] is None


@pytest.mark.parametrize(
    "texts",
    [
        pa.array([], pa.string()),
        pa.nulls(3, pa.string()),
        pa.array([None, None], pa.string()),
        pa.array(["", ""]),
        pa.array(["2025-10-10 09:00:00"]).slice(1),
    ],
    ids=["empty", "nulls", "built nulls", "empty texts", "empty slice"],
)
def test_an_array_without_any_date_has_none(texts: pa.StringArray) -> None:
    assert parsed(texts) == [None] * len(texts)


def test_bytes_under_a_null_are_not_read() -> None:
    text = b"2025-10-10 09:00:00"
    offsets = b"".join(end.to_bytes(4, "little") for end in (0, len(text), 2 * len(text)))
    buffers = [pa.py_buffer(b"\x02"), pa.py_buffer(offsets), pa.py_buffer(text * 2)]
    assert parsed(pa.Array.from_buffers(pa.string(), 2, buffers)) == [None, 1_760_086_800_000]
