"""What a column means, whichever database holds it, and the one Arrow form in which both sides are compared.

Belongs here: kinds and their canonical Arrow types. Does not belong here: how one database stores a kind.
"""

from enum import StrEnum

import pyarrow as pa
from sqlalchemy import Boolean, Column, Double, Integer
from sqlalchemy.dialects.postgresql import ENUM, TIMESTAMP


class Kind(StrEnum):
    """The application's scalar types."""

    TEXT = "text"
    JSON = "json"
    ENUM = "enum"
    INTEGER = "integer"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    MOMENT = "moment"


CANONICAL_TYPE: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.JSON: pa.string(),
    Kind.ENUM: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.DOUBLE: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.MOMENT: pa.timestamp("us"),
}
"""MOMENT is microseconds of UTC without a zone: PostgreSQL's own resolution, so that a stray one is seen."""


def kind_of(column: Column[object]) -> Kind:
    """The kind of a column of the model."""
    match column.type:
        case Boolean():
            return Kind.BOOLEAN
        case TIMESTAMP():
            return Kind.MOMENT
        case Double():
            return Kind.DOUBLE
        case Integer():
            return Kind.INTEGER
        case ENUM():
            return Kind.ENUM
        case _:
            return Kind.JSON if column.info["json"] else Kind.TEXT
