"""JSON as ``jsonb`` understands it: what it accepts, and when two spellings are one document.

Belongs here: validity and one canonical spelling. Does not belong here: which columns hold documents (the tables say).
"""

import json
from decimal import Decimal

_LONE_SURROGATES = range(0xD800, 0xE000)


def is_storable_document(text: str | None) -> bool:
    """Whether ``jsonb`` takes the text; NULL counts as storable.

    Refused are text that is no JSON, NaN and infinities, ``\\u0000``, and lone surrogates.
    """
    return text is None or canonical_document(text) is not None


def canonical_document(text: str) -> str | None:
    """One spelling for all texts that are equal as ``jsonb``, or None where the text is not storable.

    Keys are sorted, of duplicate keys the last wins, numbers are equal by value (1, 1.0 and 1e0 are one number).
    """
    try:
        document = json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse_constant, strict=True
        )
        return _spell(document)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _spell(value: object) -> str:
    match value:
        case dict():
            return "{" + ",".join(f"{_spell(key)}:{_spell(each)}" for key, each in sorted(value.items())) + "}"
        case list():
            return "[" + ",".join(map(_spell, value)) + "]"
        case str():
            if "\x00" in value or any(ord(character) in _LONE_SURROGATES for character in value):
                raise ValueError("PostgreSQL cannot hold this character in jsonb")
            return json.dumps(value)
        case Decimal():
            if value == 0:
                return "0"
            return str(value.normalize()) if len(value.as_tuple().digits) <= 28 else _spell_long(value)
        case _:
            return json.dumps(value)


def _spell_long(value: Decimal) -> str:
    """``normalize`` would round to the context's 28 digits."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    kept = list(digits)
    while kept[-1] == 0:
        kept.pop()
        exponent += 1
    return str(Decimal((sign, tuple(kept), exponent)))
