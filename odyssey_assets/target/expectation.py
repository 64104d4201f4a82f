"""What PostgreSQL's catalog shows of the application's schema when Prisma made it, derived from the model.

Belongs here: the expectation, in the catalog's own words, and when two default expressions mean the same.
Does not belong here: what a target really has (``catalog``), or judging the difference (``preflight.parity``).
"""

import re
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Column, DefaultClause, ForeignKeyConstraint, Table
from sqlalchemy.dialects import postgresql

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind, kind_of
from odyssey_assets.model.schema import enums_of, schema_of_version

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_CAST_LITERAL = re.compile(r"""'(?P<value>(?:[^']|'')*)'::(?:[\w\s.()]|"(?:[^"]|"")*")+""")
_NUMERIC_KINDS = (Kind.INTEGER, Kind.DOUBLE)


@dataclass(frozen=True)
class ExpectedColumn:
    """``type_text`` is what ``format_type`` gives, for an enum its bare name; ``default`` what ``pg_get_expr`` does."""

    name: str
    kind: Kind
    type_text: str
    is_required: bool
    default: str | None


@dataclass(frozen=True)
class ExpectedIndex:
    """A btree over whole columns, or the primary key."""

    name: str
    columns: tuple[str, ...]
    is_unique: bool


@dataclass(frozen=True)
class ExpectedForeignKey:
    """Validated and not deferrable."""

    name: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str
    on_update: str


@dataclass(frozen=True)
class ExpectedTable:
    """Columns in Prisma's order, indexes and foreign keys by name; the primary key is not among the indexes."""

    name: str
    columns: tuple[ExpectedColumn, ...]
    primary_key: ExpectedIndex | None
    indexes: tuple[ExpectedIndex, ...]
    foreign_keys: tuple[ExpectedForeignKey, ...]


@dataclass(frozen=True)
class ExpectedSchema:
    """Tables and enum labels by name."""

    tables: dict[str, ExpectedTable]
    enums: dict[str, tuple[str, ...]]


@cache
def expected_schema(version: int) -> ExpectedSchema:
    """What ``prisma migrate deploy`` leaves behind for one version of the application."""
    declared = schema_of_version(version).sorted_tables
    enums = {str(enum.name): tuple(enum.enums) for table in declared for enum in enums_of(table).values()}
    return ExpectedSchema({table.name: _table(table) for table in declared}, enums)


def is_same_default(kind: Kind, one: str | None, other: str | None) -> bool:
    """Whether two default expressions give the same value, as ``0``, ``0.0`` and ``'0'::bigint`` do for a number."""
    if one is None or other is None:
        return one is other
    return _default_value(kind, one) == _default_value(kind, other)


def _default_value(kind: Kind, expression: str) -> object:
    literal = _CAST_LITERAL.fullmatch(expression)
    value = literal["value"] if literal else expression
    if kind in _NUMERIC_KINDS:
        try:
            return float(value)
        except ValueError:
            return expression
    if kind is Kind.MOMENT and expression == "now()":
        value = "CURRENT_TIMESTAMP"
    # Only a literal is freed of its cast: 'a'::text is not the expression a.
    return (literal is not None or kind is Kind.BOOLEAN, value)


def _table(table: Table) -> ExpectedTable:
    primary = table.primary_key
    return ExpectedTable(
        table.name,
        tuple(_column(column) for column in table.columns),
        ExpectedIndex(str(primary.name), tuple(primary.columns.keys()), True) if primary.columns else None,
        tuple(
            ExpectedIndex(str(index.name), tuple(index.columns.keys()), bool(index.unique))
            for index in sorted(table.indexes, key=lambda each: str(each.name))
        ),
        tuple(_foreign_key(key) for key in sorted(table.foreign_key_constraints, key=lambda each: str(each.name))),
    )


def _column(column: Column[object]) -> ExpectedColumn:
    kind = kind_of(column)
    is_enum = isinstance(column.type, postgresql.ENUM)
    type_text = str(column.type.name) if is_enum else column.type.compile(dialect=_DIALECT).lower()  # type: ignore[attr-defined]
    default = None
    if isinstance(column.server_default, DefaultClause):
        default = str(column.server_default.arg)
        if kind in (Kind.TEXT, Kind.JSON, Kind.ENUM):
            default += f"::{quoted(type_text) if is_enum else type_text}"
    return ExpectedColumn(column.name, kind, type_text, not column.nullable, default)


def _foreign_key(key: ForeignKeyConstraint) -> ExpectedForeignKey:
    return ExpectedForeignKey(
        str(key.name),
        tuple(key.column_keys),
        key.elements[0].column.table.name,
        tuple(element.column.name for element in key.elements),
        str(key.ondelete),
        str(key.onupdate),
    )
