"""Applying differences of many tables in one transaction, with every constraint left in force.

The order makes it work: (1) rows of tables that nothing refers to are deleted; (2) values of unique indexes that move
between rows are retired; (3) parents first, rows are inserted, then updated; (4) children first, rows that others
referred to are deleted, when nothing refers to them any more, so that no CASCADE or SET NULL ever finds a row.

Belongs here: that order. Does not belong here: SQL over one table (``staging``), or whether to apply (``guards``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.errors import IntegrityError, RefusedError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind
from odyssey_assets.progress import Phase, Progress
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.staging import (
    StagedTable,
    delete_rows,
    insert_rows,
    replace_instead_of_update,
    retire_unique_values,
    stage_table,
    update_rows,
)
from odyssey_assets.target.catalog import TargetCatalog, TargetForeignKey
from odyssey_assets.target.connection import query


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
        staged[name] = stage_table(session.connection, session.schema, change.table, change.differences, number)
    referring = _referring_keys(catalog)
    for name, table in staged.items():
        _refuse_reaching_out(session, table, referring.get(name, ()))
    return staged


def apply_staged(session: Session, catalog: TargetCatalog, staged: Mapping[str, StagedTable]) -> None:
    """Bring the tables in step, in the order this module describes."""
    referring = _referring_keys(catalog)
    for name, table in staged.items():
        _clear_the_way(session, catalog, table, is_leaf=name not in referring)
    for table in staged.values():
        insert_rows(session.connection, table)
        update_rows(session.connection, table)
    for name, table in reversed(list(staged.items())):
        if name in referring:
            delete_rows(session.connection, table)


def _referring_keys(catalog: TargetCatalog) -> dict[str, tuple[TargetForeignKey, ...]]:
    """Foreign keys by the table they refer to, of every table of the schema, also of those we do not carry."""
    found: dict[str, tuple[TargetForeignKey, ...]] = {}
    for table in catalog.tables.values():
        for key in table.foreign_keys:
            found[key.parent] = (*found.get(key.parent, ()), key)
    return found


def _require_unique_key(table: CarriedTable) -> None:
    if not table.is_key_unique:
        raise IntegrityError(
            f"{table.name} has no unique key in PostgreSQL, so its rows cannot be told apart.",
            hint="Restore its primary key or unique index there, then run again; nothing was changed.",
            table=table.name,
        )


def _refuse_reaching_out(session: Session, staged: StagedTable, referring: tuple[TargetForeignKey, ...]) -> None:
    """A delete must not cascade into, or be stopped by, rows of a table that this run does not bring in step."""
    outside = [key for key in referring if key.table not in session.request.publish]
    for key in outside:
        matches = " AND ".join(
            f"child.{quoted(here)} = staged.{quoted(there)}"
            for here, there in zip(key.columns, key.parent_columns, strict=True)
        )
        (row,) = query(
            session.connection,
            f"SELECT count(*) AS rows FROM {quoted(session.schema)}.{quoted(key.table)} child "
            f"JOIN {quoted(staged.deletes)} staged ON {matches}",
        )
        if row["rows"]:
            raise RefusedError(
                f"Rows of {staged.table.name} that are gone from SQLite still have {row['rows']} rows of {key.table} "
                "referring to them, and that table takes no part in this run.",
                hint=f"Add it: --tables {staged.table.name},{key.table} and so on, or leave --tables away.",
                table=staged.table.name,
            )


def _clear_the_way(session: Session, catalog: TargetCatalog, staged: StagedTable, *, is_leaf: bool) -> None:
    """Step 1 and 2 for one table."""
    target = catalog.tables[staged.table.name]
    in_foreign_keys = {name for key in target.foreign_keys for name in key.columns}
    texts = {column.name for column in staged.table.columns if column.kind is Kind.TEXT}
    for index in target.indexes:
        if not index.is_unique or set(index.columns) <= set(staged.table.key):
            continue
        retirable = [name for name in index.columns if name in texts - in_foreign_keys and name not in staged.table.key]
        if retirable:
            retire_unique_values(session.connection, staged, retirable[0], index.columns)
        elif is_leaf and set(index.columns) <= set(staged.table.column_names):
            replace_instead_of_update(session.connection, staged, index.columns)
    if is_leaf:
        delete_rows(session.connection, staged)
