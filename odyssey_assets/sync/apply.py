"""Applying differences of many tables in one transaction, with every constraint left in force.

The order makes it work: (1) rows of tables that nothing refers to are deleted; (2) values of unique indexes that move
between rows are retired; (3) parents first, rows are inserted, then updated; (4) children first, rows that others
referred to are deleted, when nothing refers to them any more, so that no CASCADE or SET NULL ever finds a row.

A unique index over nothing but foreign keys has no value to retire: its rows are deleted in (1) and inserted in (3).

Belongs here: that order. Does not belong here: SQL over one table (``staging``), or whether to apply (``guards``,
``reach``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.kinds import Kind
from odyssey_assets.progress import Phase, Progress
from odyssey_assets.sync.reach import Reference, outside_references, refuse_reaching_out
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.staging import (
    StagedTable,
    delete_rows,
    insert_rows,
    replace_instead_of_update,
    restore_own_columns,
    retire_unique_values,
    stage_table,
    update_rows,
)
from odyssey_assets.target.catalog import TargetCatalog


@dataclass(frozen=True)
class TableChanges:
    """What has to happen to one table; ``differences`` is the file the comparison kept."""

    table: CarriedTable
    differences: Path


def stage_changes(
    session: Session, catalog: TargetCatalog, changes: Mapping[str, TableChanges]
) -> dict[str, StagedTable]:
    """Put every difference into temporary tables. ``changes`` is in order of parents first, and so is the result.

    Raises RefusedError where a delete would reach into a table that takes no part, IntegrityError where a table
    has no key to tell its rows apart.
    """
    staged = {}
    for number, (name, change) in enumerate(changes.items()):
        _require_unique_key(change.table)
        session.on_progress(Progress(Phase.APPLY, name))
        target = catalog.tables[name]
        staged[name] = stage_table(session.connection, catalog.schema, change.table, target, change.differences, number)
    references = outside_references(session, catalog)
    referred_to = _referred_to(catalog, references)
    for name, table in staged.items():
        if name not in referred_to:
            for index in _contested(catalog, table):
                if _retirable(catalog, table, index) is None:
                    replace_instead_of_update(session.connection, table, index)
    refuse_reaching_out(session, references, staged)
    return staged


def apply_staged(session: Session, catalog: TargetCatalog, staged: Mapping[str, StagedTable]) -> None:
    """Bring the tables in step, in the order this module describes."""
    connection = session.connection
    referred_to = _referred_to(catalog, outside_references(session, catalog))
    for name, table in staged.items():
        if name not in referred_to:
            delete_rows(connection, table)
        for index in _contested(catalog, table):
            column = _retirable(catalog, table, index)
            if column is not None:
                retire_unique_values(connection, table, column, index)
    for table in staged.values():
        insert_rows(connection, table)
        restore_own_columns(connection, table)
        update_rows(connection, table)
    for name, table in reversed(list(staged.items())):
        if name in referred_to:
            delete_rows(connection, table)


def _referred_to(catalog: TargetCatalog, outside: tuple[Reference, ...]) -> frozenset[str]:
    """Tables that tables of this run refer to; rows that others refer to stay as they are, ``reach`` sees to that."""
    left_out = {(each.table, each.columns) for each in outside if each.schema == catalog.schema}
    keys = (key for table in catalog.tables.values() for key in table.foreign_keys)
    return frozenset(key.parent for key in keys if (key.table, key.columns) not in left_out)


def _require_unique_key(table: CarriedTable) -> None:
    if not table.is_key_unique:
        raise IntegrityError(
            f"{table.name} has no unique key in PostgreSQL, so its rows cannot be told apart.",
            hint="Restore its primary key or unique index there, then run again; nothing was changed.",
            table=table.name,
        )


def _contested(catalog: TargetCatalog, staged: StagedTable) -> tuple[tuple[str, ...], ...]:
    """Unique indexes, as far as they are carried, in which a row may take the value another row has now.

    With the whole key in it, a row's value is its own for ever.
    """
    table = staged.table
    indexes = (index for index in catalog.tables[table.name].indexes if index.is_unique)
    carried = (
        tuple(name for name in index.columns if name in table.column_names)
        for index in indexes
        if not set(table.key) <= set(index.columns)
    )
    return tuple(columns for columns in carried if columns)


def _retirable(catalog: TargetCatalog, staged: StagedTable, index: tuple[str, ...]) -> str | None:
    """A column of the index that can take any text for a moment."""
    bound = {name for key in catalog.tables[staged.table.name].foreign_keys for name in key.columns}
    free = {
        column.name
        for column in staged.table.columns
        if column.kind is Kind.TEXT and column.name not in bound and column.name not in staged.table.key
    }
    return next((name for name in index if name in free), None)
