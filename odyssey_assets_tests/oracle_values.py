"""What one stored value means, read separately from SQLite and from PostgreSQL, so that both can be compared.

Belongs here: the meaning of a value under each PostgreSQL column type, and how a value is shown in a report.
Does not belong here: connections, tables and rows (``oracle``), or anything of the engine under test.
"""

import json
import re
import struct
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

SourceValue = int | float | bytes | None
SHOWN_BYTES = 100
UNIX_EPOCH_DAY = date(1970, 1, 1).toordinal()
DAYS_IN_400_YEARS = 146_097
INSTANT = re.compile(
    r"(?P<year>[+-]?[0-9]{4,6})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?"
    r"(?:Z|(?P<sign>[+-])(?P<offset_hours>[0-9]{2})(?::?(?P<offset_minutes>[0-9]{2}))?)?(?P<bc> BC)?"
)


class SqliteText(bytes):
    """A TEXT value as its raw bytes; plain ``bytes`` are a BLOB."""


@dataclass(frozen=True)
class Unreadable:
    """A source value without meaning under the target's type; no PostgreSQL value equals it."""

    value: SourceValue


@dataclass(frozen=True)
class Rule:
    """How values of one PostgreSQL type are read.

    ``target_sql`` turns the column ``{}`` into text without loss. The readers give hashable meanings, equal exactly
    when the values are; ``from_source`` raises ValueError for a value this type cannot hold.
    """

    target_sql: str
    from_source: Callable[[SourceValue], Hashable]
    from_target: Callable[[str], Hashable]
    shown_target: Callable[[str], str] = str


def source_meaning(rule: Rule, value: SourceValue) -> Hashable:
    """The meaning of a SQLite value, None for NULL, an Unreadable where it has none."""
    if value is None:
        return None
    try:
        return rule.from_source(value)
    except ValueError:
        return Unreadable(value)


def target_meaning(rule: Rule, value: str | None) -> Hashable:
    """The meaning of a PostgreSQL value selected with the rule's ``target_sql``, None for NULL."""
    return None if value is None else rule.from_target(value)


def milliseconds(text: str) -> int:
    """Unix milliseconds of a date and time in text; digits beyond milliseconds are cut off, no zone means UTC.

    Years are astronomical (0 is 1 BC) unless the text ends in BC as PostgreSQL prints it. Raises ValueError for
    any other form, for impossible dates, times and offsets.
    """
    found = INSTANT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (
        int(found[name]) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    offset_hours, offset_minutes = int(found["offset_hours"] or 0), int(found["offset_minutes"] or 0)
    if hour > 23 or minute > 59 or second > 59 or offset_hours > 23 or offset_minutes > 59:
        raise ValueError(text)
    if found["bc"]:
        if year < 1 or found["year"].startswith("+"):
            raise ValueError(text)
        year = 1 - year
    # Python's dates end at year 9999; the calendar repeats every 400 years.
    cycles, year_in_cycle = divmod(year, 400)
    days = date(2000 + year_in_cycle, month, day).toordinal() - UNIX_EPOCH_DAY + (cycles - 5) * DAYS_IN_400_YEARS
    offset = (offset_hours * 60 + offset_minutes) * (-1 if found["sign"] == "-" else 1)
    seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second
    return seconds * 1000 + int((found["fraction"] or "").ljust(3, "0")[:3])


def json_meaning(text: str) -> Hashable:
    """A JSON document as ``jsonb`` understands it: key order is void, the last duplicate key wins, 1.0 is 1."""
    try:
        parsed = json.loads(text, parse_int=Decimal, parse_float=Decimal, parse_constant=_refuse_constant)
    except InvalidOperation as error:
        raise ValueError(text) from error
    return _hashable(parsed)


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _hashable(parsed: object) -> Hashable:
    if isinstance(parsed, dict):
        return "object", frozenset((name, _hashable(each)) for name, each in parsed.items())
    if isinstance(parsed, list):
        return "array", tuple(map(_hashable, parsed))
    # The type's name keeps true from equalling 1.
    return type(parsed).__name__, parsed


def _instant_from_source(value: SourceValue) -> int:
    if isinstance(value, int):
        return value
    return milliseconds(_text_from_source(value).decode("utf-8"))


def _integer_from_source(value: SourceValue) -> int:
    if isinstance(value, int):
        return value
    raise ValueError(value)


def _float_from_source(value: SourceValue) -> str:
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    if isinstance(value, int) and int(float(value)) == value:
        return struct.pack(">d", float(value)).hex()
    raise ValueError(value)


def _text_from_source(value: SourceValue) -> bytes:
    if isinstance(value, SqliteText):
        return bytes(value)
    raise ValueError(value)


def _json_from_source(value: SourceValue) -> Hashable:
    return json_meaning(_text_from_source(value).decode("utf-8"))


def _shown_float(hexadecimal: str) -> str:
    (value,) = struct.unpack(">d", bytes.fromhex(hexadecimal))
    return f"{value!r} [{hexadecimal}]"


def _shown_boolean(number: str) -> str:
    return "true" if number == "1" else "false"


def _shown_instant(number: str) -> str:
    return f"{Decimal(number).normalize():f} ms"


_TEXT = Rule("{}::text", _text_from_source, str.encode, ascii)
_INTEGER = Rule("{}::text", _integer_from_source, int)
_INSTANT = Rule("(extract(epoch FROM {}) * 1000)::text", _instant_from_source, Decimal, _shown_instant)
RULES = {
    "bool": Rule("{}::int::text", _integer_from_source, int, _shown_boolean),
    "enum": _TEXT,
    "float8": Rule("encode(float8send({}), 'hex')", _float_from_source, str, _shown_float),
    "int2": _INTEGER,
    "int4": _INTEGER,
    "int8": _INTEGER,
    "json": _TEXT,
    "jsonb": Rule("{}::text", _json_from_source, json_meaning, ascii),
    "text": _TEXT,
    "timestamp": _INSTANT,
    "timestamptz": _INSTANT,
    "varchar": _TEXT,
}
"""PostgreSQL's type name, ``enum`` for every enumeration, to how its values are read."""


def shown_source(rule: Rule, value: SourceValue) -> str:
    """A SQLite value with its storage class, non-ASCII characters escaped, and the instant it stands for."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"REAL {_shown_float(struct.pack('>d', value).hex())}"
    if isinstance(value, int):
        return f"INTEGER {value}"
    if not isinstance(value, SqliteText):
        return f"BLOB {value[:SHOWN_BYTES]!r}" + (f"... ({len(value)} bytes)" if len(value) > SHOWN_BYTES else "")
    shown = f"TEXT {value.decode('utf-8', 'backslashreplace')!a}"
    meaning = source_meaning(rule, value) if rule is _INSTANT else None
    return f"{shown} = {meaning} ms" if isinstance(meaning, int) else shown


def shown_target(rule: Rule, value: str | None) -> str:
    """A PostgreSQL value as selected by the rule, non-ASCII characters escaped."""
    return "NULL" if value is None else rule.shown_target(value)


def shown_pair(rule: Rule, source: SourceValue, target: str | None) -> str:
    """Both sides of a difference; of long texts only the surroundings of the first differing byte."""
    if isinstance(source, SqliteText) and target is not None:
        here, there = bytes(source), target.encode()
        if max(len(here), len(there)) > SHOWN_BYTES:
            return f"SQLite {_window(here, there)}, PostgreSQL {_window(there, here)}"
    return f"SQLite {shown_source(rule, source)}, PostgreSQL {shown_target(rule, target)}"


def _window(text: bytes, other: bytes) -> str:
    shared = next(
        (at for at, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other))
    )
    start = max(0, shared - SHOWN_BYTES // 5)
    part = text[start : start + SHOWN_BYTES].decode("utf-8", "backslashreplace")
    return f"{part!a} (from byte {start} of {len(text)}, first difference at byte {shared})"
