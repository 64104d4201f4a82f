"""JSON as ``jsonb`` understands it: what it accepts, and when two spellings are one document.

Belongs here: validity and one canonical spelling. Does not belong here: which columns hold documents (the tables say).
"""

import json
from decimal import Decimal

DEEPEST_NESTING = 200
"""Levels of arrays and objects. PostgreSQL takes more; Python's stack does not, and the limit must not depend on it."""

_LEAST_EXPONENT = -16_383
_HIGHEST_DIGIT = 131_071
_HIGHEST_EXPONENT_OF_ZERO = 1_000_000_000
"""What ``numeric`` holds: powers of ten of the last digit written, of the first digit, and of a zero."""

_PLAIN_DIGITS = range(-7, 21)
"""Numbers whose first digit stands here are spelled without an exponent."""


def is_storable_document(text: str | None) -> bool:
    """Whether ``jsonb`` takes the text; NULL counts as storable.

    Refused are text that is no JSON, NaN and infinities, numbers beyond ``numeric``, ``\\u0000``, lone surrogates, and
    more than ``DEEPEST_NESTING`` levels.
    """
    return text is None or canonical_document(text) is not None


def canonical_document(text: str) -> str | None:
    """One spelling for all texts that are equal as ``jsonb``, or None where the text is not storable.

    Keys are sorted, of duplicate keys the last wins, numbers are equal by value (1, 1.0 and 1e0 are one number).
    """
    try:
        document = json.loads(
            text,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
            strict=True,
        )
        return _spell(document, DEEPEST_NESTING)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # PostgreSQL looks at every value before it drops those of earlier duplicates.
        for _, value in pairs:
            _spell(value, DEEPEST_NESTING)
    return found


def _spell(value: object, levels: int) -> str:
    match value:
        case dict() | list() if levels == 0:
            raise ValueError(f"nested deeper than {DEEPEST_NESTING} levels")
        case dict():
            pairs = (f"{_spell(key, 0)}:{_spell(each, levels - 1)}" for key, each in sorted(value.items()))
            return "{" + ",".join(pairs) + "}"
        case list():
            return "[" + ",".join([_spell(each, levels - 1) for each in value]) + "]"
        case str():
            if "\x00" in value:
                raise ValueError("PostgreSQL cannot hold this character in jsonb")
            value.encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError
            return json.dumps(value)
        case Decimal():
            return _spell_number(value)
        case _:
            return json.dumps(value)


def _spell_number(value: Decimal) -> str:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    highest = _HIGHEST_DIGIT if value else _HIGHEST_EXPONENT_OF_ZERO
    if exponent < _LEAST_EXPONENT or value.adjusted() > highest:
        raise ValueError("PostgreSQL cannot hold this number")
    if not value:
        return "0"
    kept = list(digits)
    while kept[-1] == 0:
        kept.pop()
        exponent += 1
    shortest = Decimal((sign, tuple(kept), exponent))
    return format(shortest, "f") if shortest.adjusted() in _PLAIN_DIGITS else str(shortest)
