"""How a report writes values for a person: numbers, sizes, times, and text that may hold anything.

Belongs here: turning one value into plain text. Does not belong here: markup (``templates``), or what is shown
(``page``).
"""

import json
import unicodedata
from datetime import UTC, datetime

MOST_CHARACTERS = 160
"""Of a key or a value; a megabyte in one cell would bury the rest of the page."""

MOST_CHARACTERS_OF_SENTENCE = 1_000

_NOT_SEEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
"""Unicode's categories of characters that show nothing, or turn the text around them about."""

_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def shown(value: object, most_characters: int = MOST_CHARACTERS) -> str:
    """Text as it is and anything else as JSON, cut to a length, with every invisible character made visible."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    rest = len(text) - most_characters
    visible = "".join(map(_visible, text[:most_characters]))
    return f"{visible}… ({rest:,} more characters)" if rest > 0 else visible


def shown_literal(value: object) -> str:
    """The same in JSON's notation, which tells the text ``null`` from no value and ``1`` from ``"1"``."""
    cut = value[: MOST_CHARACTERS + 1] if isinstance(value, str) else value
    literal = shown(json.dumps(cut, ensure_ascii=False))
    return f"{literal} ({len(value):,} characters)" if isinstance(value, str) and cut != value else literal


def sentence(value: object) -> str:
    """``shown`` for what is longer than a value."""
    return shown(value, MOST_CHARACTERS_OF_SENTENCE)


def clipped(text: str, most_characters: int) -> str:
    """Text for a place that cannot grow."""
    cut = text if len(text) <= most_characters else f"{text[: most_characters - 1]}…"
    return "".join(map(_visible, cut))


def number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def short_number(value: int) -> str:
    """At most six characters, for a place that cannot grow."""
    if value < 10_000:
        return f"{value:,}"
    return f"{value / 1_000:,.0f} k" if value < 1_000_000 else f"{value / 1_000_000:,.1f} M"


def size(value: int | None) -> str:
    """Bytes in the largest decimal unit that leaves a number before the point."""
    if value is None:
        return "–"
    for unit, scale in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)):
        if value >= scale:
            return f"{value / scale:,.1f} {unit}"
    return f"{value:,} B"


def seconds(value: float | None) -> str:
    """Seconds with as many digits as matter to a person."""
    if value is None:
        return "–"
    if value >= 60:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes:,} min {rest} s"
    return f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"


def moment(iso_text: str | None) -> str:
    """A moment in UTC to the second."""
    return "–" if iso_text is None else f"{datetime.fromisoformat(iso_text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def short_digest(digest: str | None) -> str:
    """Enough of a digest to tell two apart at a glance."""
    if digest is None:
        return "–"
    return digest if len(digest) <= 10 else f"{digest[:4]}…{digest[-4:]}"


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _NOT_SEEN:
        return character
    return _SHORT_ESCAPES.get(character) or f"\\u{{{ord(character):x}}}"
