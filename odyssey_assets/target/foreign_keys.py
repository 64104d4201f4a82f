"""What PostgreSQL holds of the model's foreign keys, and how many rows break them.

Belongs here: facts about constraints and orphans in the target. Does not belong here: judging them
(``compare.checks``).
"""

from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection
from sqlalchemy import ForeignKeyConstraint, Table

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.catalog import TargetCatalog, TargetForeignKey
from odyssey_assets.target.connection import query


@dataclass(frozen=True)
class ForeignKeyFacts:
    """What the target says of one foreign key of the model, under whatever name it has it.

    ``orphan_rows`` is None where it could not be counted; ``is_counted`` is False where that was not asked for.
    """

    name: str
    exists: bool
    is_validated: bool
    as_declared: bool
    orphan_rows: int | None
    is_counted: bool = True


def foreign_key_facts(
    connection: Connection, catalog: TargetCatalog, declared: Table, *, counts_orphans: bool = True
) -> tuple[ForeignKeyFacts, ...]:
    """Facts of every foreign key the model declares for one table; orphans are counted whatever the constraint says.

    A key over a column that the target lacks is left out: it can have neither a constraint nor orphans.
    ``counts_orphans`` may be False only where neither the table nor its parents changed since they were counted.
    """
    return tuple(
        _facts(connection, catalog, declared.name, constraint, counts_orphans=counts_orphans)
        for constraint in sorted(declared.foreign_key_constraints, key=lambda each: str(each.name))
        if all(catalog.tables[declared.name].column(name) is not None for name in constraint.column_keys)
    )


def _facts(
    connection: Connection, catalog: TargetCatalog, table: str, declared: ForeignKeyConstraint, *, counts_orphans: bool
) -> ForeignKeyFacts:
    name = str(declared.name)
    (element,) = declared.elements
    parent, parent_column = element.column.table.name, element.column.name
    (column,) = declared.column_keys
    wanted = ((column,), parent, (parent_column,), declared.ondelete, declared.onupdate)
    found = _found(catalog, table, name, wanted)
    as_declared = found is not None and _shape(found) == wanted
    return ForeignKeyFacts(
        name,
        exists=found is not None,
        is_validated=found is not None and found.is_validated,
        as_declared=as_declared,
        orphan_rows=_orphan_rows(connection, catalog, table, column, parent, parent_column) if counts_orphans else 0,
        is_counted=counts_orphans,
    )


def _found(catalog: TargetCatalog, table: str, name: str, wanted: tuple[object, ...]) -> TargetForeignKey | None:
    """The key by its name, else one that does the same under another: a name keeps no orphan out."""
    keys = catalog.tables[table].foreign_keys
    by_name = next((key for key in keys if key.name == name), None)
    return by_name or next((key for key in keys if _shape(key) == wanted), None)


def _shape(key: TargetForeignKey) -> tuple[object, ...]:
    return key.columns, key.parent, key.parent_columns, key.on_delete, key.on_update


def _orphan_rows(
    connection: Connection, catalog: TargetCatalog, table: str, column: str, parent: str, parent_column: str
) -> int | None:
    if parent not in catalog.tables:
        return None
    (row,) = query(
        connection,
        f"""
        SELECT count(*) AS orphans
        FROM {quoted(catalog.schema)}.{quoted(table)} child
        WHERE child.{quoted(column)} IS NOT NULL
          AND NOT EXISTS (
            SELECT 1 FROM {quoted(catalog.schema)}.{quoted(parent)} parent
            WHERE parent.{quoted(parent_column)} = child.{quoted(column)})
        """,
    )
    return int(str(row["orphans"]))
