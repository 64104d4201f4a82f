"""Which PostgreSQL types a kind may be carried into, and the Arrow type each is written with.

Belongs here: the type matrix of the target. Does not belong here: conversion of values (the database's own business).
"""

import re

import pyarrow as pa

from odyssey_assets.model.carried import CarriedColumn
from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind

TEXT_TYPES = frozenset({"text", "character varying"})

CARRYING_TYPES: dict[Kind, frozenset[str]] = {
    Kind.TEXT: TEXT_TYPES,
    Kind.JSON: TEXT_TYPES | {"jsonb"},
    Kind.INTEGER: frozenset({"smallint", "integer", "bigint"}),
    Kind.DOUBLE: frozenset({"double precision"}),
    Kind.BOOLEAN: frozenset({"boolean"}),
    Kind.MOMENT: frozenset({"timestamp without time zone", "timestamp with time zone"}),
}
"""Types that hold every value of a kind exactly; for enums any enum type does, its labels are looked at instead."""

_WRITTEN_AS: dict[str, pa.DataType] = {
    "jsonb": pa.json_(pa.string()),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}


_FRACTION_DIGITS = re.compile(r"\((\d)\)")
_MILLISECOND_DIGITS = 3


def can_carry(kind: Kind, type_name: str, type_text: str, *, is_enum: bool) -> bool:
    """Whether a target column of this type can hold every value of the kind.

    ``type_text`` is the type with its modifier. A limit of characters is no matter of the type: it stops only values
    that are longer, with an error, where a limit of fraction digits rounds in silence.
    """
    if kind is Kind.ENUM:
        return is_enum or type_name in TEXT_TYPES
    digits = _FRACTION_DIGITS.search(type_text) if kind is Kind.MOMENT else None
    return type_name in CARRYING_TYPES[kind] and (digits is None or int(digits[1]) >= _MILLISECOND_DIGITS)


def arrow_type_to_write(column: CarriedColumn) -> pa.DataType:
    """The Arrow type whose binary COPY form is exactly the target column's."""
    return _WRITTEN_AS.get(column.target_type, CANONICAL_TYPE[column.kind])
