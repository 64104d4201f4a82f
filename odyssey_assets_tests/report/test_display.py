"""Values as a person reads them, whatever they hold."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey_assets.report import display


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("ä 日本 🎉", "ä 日本 🎉"),
        ("", ""),
        (7, "7"),
        (None, "null"),
        (True, "true"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("a\x00b", "a\\u{0}b"),
        ("\u202eabc", "\\u{202e}abc"),
        ("a\u200bb", "a\\u{200b}b"),
        ("\udce4", "\\u{dce4}"),
        ("\ufffe", "\\u{fffe}"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(value: object, text: str) -> None:
    assert display.shown(value) == text


def test_long_text_is_cut_and_says_so() -> None:
    assert display.shown("x" * 160) == "x" * 160
    assert display.shown("x" * 161) == "x" * 160 + "… (1 more characters)"
    assert display.shown("x" * 1_000_160) == "x" * 160 + "… (1,000,000 more characters)"


def test_a_literal_tells_kinds_of_values_apart() -> None:
    assert [display.shown_literal(each) for each in (None, "null", 1, "1", "")] == ["null", '"null"', "1", '"1"', '""']
    assert display.shown_literal("\x00") == '"\\u0000"'
    long = display.shown_literal("y" * 1_048_576)
    assert long.startswith('"yyy')
    assert long.endswith("(1,048,576 characters)")
    assert len(long) < 250


def test_a_label_never_grows() -> None:
    assert display.clipped("NotificationPreferences", 20) == "NotificationPrefere…"
    assert display.clipped("Vote", 4) == "Vote"


@given(st.text(alphabet=st.characters(), max_size=300))
def test_whatever_is_shown_can_be_seen_and_written(text: str) -> None:
    for found in (display.shown(text), display.shown_literal(text), display.clipped(text, 20)):
        assert {unicodedata.category(each) for each in found}.isdisjoint({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
        found.encode("utf-8")
    json.dumps(display.sentence(text))


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (display.number(1_234_567), "1,234,567"),
        (display.number(None), "–"),
        (display.short_number(9_999), "9,999"),
        (display.short_number(123_456), "123 k"),
        (display.short_number(33_333_309), "33.3 M"),
        (display.size(999), "999 B"),
        (display.size(1_500), "1.5 kB"),
        (display.size(2_500_000), "2.5 MB"),
        (display.size(3_000_000_000), "3.0 GB"),
        (display.size(None), "–"),
        (display.seconds(0.129), "0.13 s"),
        (display.seconds(12.34), "12.3 s"),
        (display.seconds(3_725), "62 min 5 s"),
        (display.seconds(None), "–"),
        (display.moment("2026-12-31T23:59:58.123+01:00"), "2026-12-31 22:59:58 UTC"),
        (display.moment(None), "–"),
        (display.short_digest("-1064605842197818848"), "-106…8848"),
        (display.short_digest("12345"), "12345"),
        (display.short_digest(None), "–"),
    ],
)
def test_numbers_and_times(found: str, text: str) -> None:
    assert found == text
