"""Which PostgreSQL types a kind may be carried into, and the Arrow type each is written with.

Belongs here: the type matrix of the target. Does not belong here: conversion of values (the database's own business).
"""

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


def can_carry(kind: Kind, type_name: str, *, is_enum: bool) -> bool:
    """Whether a target column of this type can hold every value of the kind."""
    if kind is Kind.ENUM:
        return is_enum or type_name in TEXT_TYPES
    return type_name in CARRYING_TYPES[kind]


def arrow_type_to_write(column: CarriedColumn) -> pa.DataType:
    """The Arrow type whose binary COPY form is exactly the target column's."""
    return _WRITTEN_AS.get(column.target_type, CANONICAL_TYPE[column.kind])
