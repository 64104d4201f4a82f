"""What PostgreSQL holds of the model's foreign keys, and how many rows break them.

Belongs here: facts about constraints and orphans in the target. Does not belong here: judging them
(``compare.checks``).
"""

from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection
from sqlalchemy import ForeignKeyConstraint, Table

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import query


@dataclass(frozen=True)
class ForeignKeyFacts:
    """What the target says of one foreign key of the model; ``orphan_rows`` is None where it could not be counted."""

    name: str
    exists: bool
    is_validated: bool
    as_declared: bool
    orphan_rows: int | None


def foreign_key_facts(
    connection: Connection, catalog: TargetCatalog, declared: Table, *, counts_orphans: bool = True
) -> tuple[ForeignKeyFacts, ...]:
    """Facts of every foreign key the model declares for one table; orphans are counted whatever the constraint says.

    ``counts_orphans`` may be False only where neither the table nor its parents changed since they were counted.
    """
    return tuple(
        _facts(connection, catalog, declared.name, constraint, counts_orphans=counts_orphans)
        for constraint in sorted(declared.foreign_key_constraints, key=lambda each: str(each.name))
    )


def _facts(
    connection: Connection, catalog: TargetCatalog, table: str, declared: ForeignKeyConstraint, *, counts_orphans: bool
) -> ForeignKeyFacts:
    name = str(declared.name)
    (element,) = declared.elements
    parent, parent_column = element.column.table.name, element.column.name
    (column,) = declared.column_keys
    found = next((key for key in catalog.tables[table].foreign_keys if key.name == name), None)
    as_declared = found is not None and (
        found.columns,
        found.parent,
        found.parent_columns,
        found.on_delete,
        found.on_update,
    ) == ((column,), parent, (parent_column,), declared.ondelete, declared.onupdate)
    return ForeignKeyFacts(
        name,
        exists=found is not None,
        is_validated=found is not None and found.is_validated,
        as_declared=as_declared,
        orphan_rows=_orphan_rows(connection, catalog, table, column, parent, parent_column) if counts_orphans else 0,
    )


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
