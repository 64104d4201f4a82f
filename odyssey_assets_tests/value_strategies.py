"""Values as a SQLite column can hold them, of every storage class, leaning towards what migrations trip over.

Belongs here: Hypothesis strategies. Does not belong here: what becomes of the values.
"""

import json
from typing import Any

from hypothesis import strategies as st

from odyssey_assets_tests.plain_source import TextBytes, facts_of

HARD_INTEGERS = [
    0, 1, 2, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1, -(2**63), 1_760_000_000, 1_760_000_000_123,
    -210_866_803_200_000, -210_866_803_200_001, 9_223_372_036_854_775, 9_223_372_036_854_776,
]  # fmt: skip
HARD_REALS = [0.0, -0.0, 5e-324, 2.2250738585072014e-308, float("inf"), float("-inf"), 1.5, 1e300, 0.1]
HARD_TEXTS = [
    "", " ", "\\N", "\\.", "\\", "\t", "\r\n", "\ufeff", "é", "e\u0301", "👩\u200d👩\u200d👧\u200d👦", "שלום", "\u202e",
    "\x7f", "\x01", "NULL", "12", "true", "1.5", "a\x00b", "\x00", "it's", '"', "\U0010ffff", "\ufffe", "1e5", "0x1F",
    " 7 ", "abc" * 40,
]  # fmt: skip
HARD_BYTES = [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\x00"]
HARD_MOMENTS = [
    "2025-10-10T09:00:00.000+00:00", "2025-10-10 09:00:00", "2025-10-10T09:00:00.9999Z", "1969-12-31T23:59:59.9999Z",
    "2025-10-10T09:00:00.1-0530", "2025-10-10 09:00:00.123456789+14", "0001-01-01T00:00:00Z", "0000-02-29T00:00:00Z",
    "-004713-11-24T00:00:00Z", "-004713-11-23T23:59:59.999Z", "+294247-01-10T04:00:54.775Z",
    "+294247-01-10T04:00:54.776Z", "2100-02-29T00:00:00Z", "2025-10-10", "2025-10-10T24:00:00Z", "yesterday",
]  # fmt: skip
HARD_DOCUMENTS = [
    "{}", "[]", "null", "NaN", "[1,]", '{"a":1,"a":2}', '{"b":1, "a": [1.0, 1e0]}', '"\\u0000"', '"\\ud800"',
    '"\\ud83d\\ude00"', "1e400", "01", "1e131072", "1e131071", "-0", "-0.0", '{"a"', "'a'", "[1 2]", "\ufeff[]", '"\t"',
    "//", '{"x":"\\u0000","x":1}', "1.000000000000000000000000000001", '["User-0", "nobody"]', " [1] ", "[Infinity]",
]  # fmt: skip
HARD_LABELS = ["USER", "user", "USER ", "ADMIN", "Admin"]
PARENTS = ["User-0", "Village-0", "Feature-0", "Feedback-0", "RoadmapItem-0", "user-0", "User-0 ", "nobody"]

HARD_VALUES: list[Any] = [
    None, *HARD_INTEGERS, *HARD_REALS, *HARD_TEXTS, *HARD_MOMENTS, *HARD_DOCUMENTS, *HARD_LABELS, *PARENTS, b"",
    b"text", b"\x00", *(TextBytes(b"a" + each + b"b") for each in HARD_BYTES),
]  # fmt: skip
"""Each for a reason of its own; what is generated besides looks for reasons nobody thought of."""

INTEGERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-2, 3), st.sampled_from(HARD_INTEGERS))
REALS = st.one_of(st.floats(allow_nan=False), st.sampled_from(HARD_REALS))
_ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def _spoilt(parts: tuple[str, bytes, str]) -> TextBytes:
    return TextBytes(parts[0].encode() + parts[1] + parts[2].encode())


BYTES_AS_TEXT = st.one_of(
    st.binary(max_size=6).map(TextBytes),
    st.tuples(
        _ANY_TEXT,
        st.sampled_from(HARD_BYTES),
        _ANY_TEXT,
    ).map(_spoilt),
)

_LABELS = sorted({label for labels in facts_of()["enums"].values() for label in labels})
ENUM_TEXT = st.one_of(
    st.sampled_from(_LABELS),
    st.tuples(
        st.sampled_from(_LABELS), st.sampled_from([str.lower, str.upper, str.title, "{} ".format, " {}".format])
    ).map(lambda pair: pair[1](pair[0])),
)


@st.composite
def moment_text(draw: st.DrawFn) -> str:
    """A date and time in one of the known forms, or just beside them."""
    year = draw(
        st.sampled_from(["2025", "1969", "0001", "0000", "9999", "-00001", "+010000", "-004713", "+294247", "1900"])
    )
    month, day = draw(st.integers(0, 13)), draw(st.sampled_from([0, 1, 15, 28, 29, 30, 31, 32]))
    time = draw(st.sampled_from(["00:00:00", "09:30:15", "23:59:59", "24:00:00", "12:60:00", "9:00:00"]))
    fraction = draw(st.sampled_from(["", ".0", ".123", ".1239", ".999999999", ".9999999999", "."]))
    zone = draw(st.sampled_from(["", "Z", "+00:00", "-05:30", "+1400", "+02", "z", " UTC", "+25:00", "+05:3"]))
    return f"{year}-{month:02}-{day:02}{draw(st.sampled_from('TT t'))}{time}{fraction}{zone}"


_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
JSON_TEXT = st.one_of(
    st.tuples(_DOCUMENTS, st.booleans()).map(lambda pair: TextBytes(_dumped(*pair))), st.sampled_from(HARD_DOCUMENTS)
)


def _dumped(document: object, is_ascii: bool) -> bytes:
    return json.dumps(document, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    INTEGERS,
    REALS,
    _ANY_TEXT,
    st.sampled_from(HARD_TEXTS),
    BYTES_AS_TEXT,
    st.binary(max_size=8),
    ENUM_TEXT,
    moment_text(),
    st.sampled_from(HARD_MOMENTS),
    JSON_TEXT,
    st.sampled_from(PARENTS),
)
