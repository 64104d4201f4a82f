"""The application's schema, whole, in each of its five versions.

Belongs here: assembling the declarations, deriving older versions, telling which version a set of tables is.
Does not belong here: the declarations themselves (one module a domain), or DDL for one of the databases.
"""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Column, ForeignKeyConstraint, Index, MetaData, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import ENUM

# Imported for their effect: each declares its tables on ``metadata``.
from odyssey_assets.model import (  # noqa: F401
    collaboration,
    feedback,
    gamification,
    notifications,
    operations,
    people,
    research,
    roadmap,
)
from odyssey_assets.model.columns import metadata

NEWEST_VERSION = 5
ALL_VERSIONS = (1, 2, 3, 4, 5)

KNOWN_TABLES = frozenset(metadata.tables)
"""Names of the tables of any version."""

PRISMA_BOOKKEEPING = "_prisma_migrations"
"""Belongs to Prisma on each side; never copied, never counted as unknown."""


@cache
def schema_of_version(version: int) -> MetaData:
    """All tables of one version of the application, parents before children in ``sorted_tables``."""
    if version == NEWEST_VERSION:
        return metadata
    older = MetaData()
    for table in metadata.tables.values():
        if version in table.info["versions"]:
            _copy_table(table, older, version)
    return older


def tables_in_order(version: int = NEWEST_VERSION) -> tuple[Table, ...]:
    """The tables of a version, parents before children; self references do not count."""
    return tuple(schema_of_version(version).sorted_tables)


def version_of(columns_by_table: Mapping[str, frozenset[str]], referring_by_table: Mapping[str, frozenset[str]]) -> int:
    """The version whose tables and columns are nearest to these; of equally near ones the newest.

    Versions 2 and 4 have the same columns and differ in one foreign key, so ``referring_by_table``, the columns with
    foreign keys, decides where the columns do not.
    """
    found = _pairs(columns_by_table)
    found_referring = _pairs(referring_by_table)

    # By what the declarations say of themselves: copying four versions takes a tenth of a second.
    def distance(version: int) -> tuple[int, int, int]:
        tables = [table for table in metadata.tables.values() if version in table.info["versions"]]
        expected = {(table.name, each.name) for table in tables for each in table.columns if _is_in(each, version)}
        referring = {
            (table.name, name)
            for table in tables
            for key in table.foreign_key_constraints
            if _is_in(key, version)
            for name in key.column_keys
        }
        return len(expected ^ found), len(referring ^ found_referring), -version

    return min(ALL_VERSIONS, key=distance)


def enums_of(table: Table) -> dict[str, ENUM]:
    """Enum type by column name."""
    return {column.name: column.type for column in table.columns if isinstance(column.type, ENUM)}


def parents_of(table: Table) -> tuple[str, ...]:
    """Names of the tables this one refers to, itself left out, each once, sorted."""
    return tuple(sorted({key.column.table.name for key in table.foreign_keys if key.column.table.name != table.name}))


def _is_in(part: Column[object] | ForeignKeyConstraint | Index, version: int) -> bool:
    return version in part.info["versions"]


def _pairs(names_by_table: Mapping[str, frozenset[str]]) -> set[tuple[str, str]]:
    return {(table, name) for table, names in names_by_table.items() for name in names}


def _copy_table(table: Table, target: MetaData, version: int) -> None:
    parts: list[Column[object] | PrimaryKeyConstraint | ForeignKeyConstraint | Index] = [
        Column(
            column.name,
            column.type,
            nullable=column.nullable,
            server_default=column.server_default.arg if column.server_default is not None else None,  # type: ignore[attr-defined]
            info=column.info,
        )
        for column in table.columns
        if _is_in(column, version)
    ]
    if table.primary_key.columns:
        parts.append(PrimaryKeyConstraint(*table.primary_key.columns.keys(), name=str(table.primary_key.name)))
    parts.extend(
        ForeignKeyConstraint(
            constraint.column_keys,
            [element.target_fullname for element in constraint.elements],
            name=constraint.name,
            ondelete=constraint.ondelete,
            onupdate=constraint.onupdate,
            info=constraint.info,
        )
        for constraint in table.foreign_key_constraints
        if _is_in(constraint, version)
    )
    parts.extend(
        Index(index.name, *index.columns.keys(), unique=index.unique, info=index.info)
        for index in table.indexes
        if _is_in(index, version)
    )
    Table(table.name, target, *parts, info=table.info)
