"""Rows that break the keys PostgreSQL will enforce: orphans of its foreign keys, duplicates under its unique indexes.

Belongs here: questions about keys, put to SQLite. Does not belong here: values (``scan``), or ids without a constraint
(``soft_references``).
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.preflight.objections import Objection, Rowids
from odyssey_assets.preflight.references_met import ReferencesMet
from odyssey_assets.source.inspection import SourceCatalog
from odyssey_assets.target.catalog import TargetCatalog, TargetForeignKey, TargetIndex

ORPHAN = "orphan"
DUPLICATE = "duplicate"
HELD_BACK_PARENT = "held_back_parent"

ForeignKeyColumns = tuple[tuple[str, ...], str, tuple[str, ...]]
"""Columns, parent, parent's columns."""


def key_objections(
    connection: sqlite3.Connection,
    source: SourceCatalog,
    target: TargetCatalog,
    tables: Mapping[str, CarriedTable],
    met: ReferencesMet | None = None,
) -> tuple[Objection, ...]:
    """Orphans and duplicates of the tables given; their parents may be outside of them.

    Foreign keys that are ``met`` are not asked about again.
    """
    found: list[Objection] = []
    for name, table in tables.items():
        keys = {
            _columns(key)
            for key in target.tables[name].foreign_keys
            if set(key.columns) <= set(table.column_names) and not (met and met.are_met(key))
        }
        found.extend(_orphans(connection, source, name, keys))
        for index in target.tables[name].indexes:
            if index.is_unique and set(index.columns) <= set(tables[name].column_names):
                found.extend(_duplicates(connection, name, index))
    return tuple(found)


def children_of_held_rows(
    connection: sqlite3.Connection,
    target: TargetCatalog,
    tables: Mapping[str, CarriedTable],
    held: Mapping[str, Rowids],
) -> tuple[Objection, ...]:
    """Rows that refer, over any number of steps, to rows that are held back: without their parent they cannot go."""
    keys = [
        key
        for name, table in tables.items()
        for key in target.tables[name].foreign_keys
        if set(key.columns) <= set(table.column_names)
    ]
    known = {name: set(rowids.tolist()) for name, rowids in held.items()}
    fresh = {name: set(rowids) for name, rowids in known.items()}
    found: defaultdict[tuple[str, str, str], set[int]] = defaultdict(set)
    while fresh:
        reached: defaultdict[str, set[int]] = defaultdict(set)
        for key in keys:
            if key.parent in fresh:
                children = _children(connection, key, fresh[key.parent]) - known.get(key.table, set())
                found[key.table, ", ".join(key.columns), key.parent] |= children
                reached[key.table] |= children
        for name, rowids in reached.items():
            known.setdefault(name, set()).update(rowids)
        fresh = {name: rowids for name, rowids in reached.items() if rowids}
    return tuple(
        Objection(
            table,
            column,
            HELD_BACK_PARENT,
            f"refers to a row of {parent} that cannot be carried",
            _array(rowids),
            is_consequence=True,
        )
        for (table, column, parent), rowids in found.items()
        if rowids
    )


def _columns(key: TargetForeignKey) -> ForeignKeyColumns:
    return key.columns, key.parent, key.parent_columns


def _orphans(
    connection: sqlite3.Connection, source: SourceCatalog, table: str, keys: set[ForeignKeyColumns]
) -> Iterator[Objection]:
    """Orphans by ``foreign_key_check`` where SQLite declares the same key, by an anti-join where it does not."""
    declared = _declared_foreign_keys(connection, table)
    can_be_checked = all(_has_parent_key(connection, columns) for columns in declared.values())
    shared = {number: columns for number, columns in declared.items() if can_be_checked and columns in keys}
    rowids: defaultdict[ForeignKeyColumns, list[int]] = defaultdict(list)
    if shared:
        for row in connection.execute(f"PRAGMA foreign_key_check({quoted(table)})"):
            if row[3] in shared:
                rowids[shared[row[3]]].append(row[1])
    for columns in keys - set(shared.values()):
        parent_table = source.tables.get(columns[1])
        has_parent = parent_table is not None and set(columns[2]) <= set(parent_table.column_names)
        sql = _orphans_sql(table, columns, has_parent=has_parent)
        rowids[columns] = [rowid for (rowid,) in connection.execute(sql)]
    for columns, found in rowids.items():
        if found:
            named, parent, _ = columns
            detail = f"refers to a row of {parent} that does not exist"
            yield Objection(table, ", ".join(named), ORPHAN, detail, _array(found))


def _declared_foreign_keys(connection: sqlite3.Connection, table: str) -> dict[int, ForeignKeyColumns]:
    """SQLite's own foreign keys by the number ``foreign_key_check`` uses."""
    parts: defaultdict[int, list[tuple[str, str, str]]] = defaultdict(list)
    rows = connection.execute(
        'SELECT id, "from", "table", coalesce("to", \'id\') FROM pragma_foreign_key_list(?) ORDER BY id, seq', (table,)
    )
    for number, column, parent, parent_column in rows:
        parts[number].append((column, parent, parent_column))
    return {
        number: (tuple(each[0] for each in columns), columns[0][1], tuple(each[2] for each in columns))
        for number, columns in parts.items()
    }


def _has_parent_key(connection: sqlite3.Connection, columns: ForeignKeyColumns) -> bool:
    """Whether the parent's columns are unique in SQLite; where they are not, ``foreign_key_check`` itself fails."""
    _, parent, parent_columns = columns
    key = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk", (parent,))
    unique = _unique_column_sets(connection, parent) | {frozenset(name for (name,) in key)}
    return frozenset(parent_columns) in unique


def _orphans_sql(table: str, columns: ForeignKeyColumns, *, has_parent: bool) -> str:
    """Rows without their parent; all that name one where the file has no such table or columns at all."""
    named, parent, parent_columns = columns
    filled = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in named)
    if not has_parent:
        return f"SELECT rowid FROM {quoted(table)} WHERE {filled}"
    parents_filled = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in parent_columns)
    # NOT IN makes one lookup table of the parents, where NOT EXISTS would walk them for every row if no index helps.
    return (
        f"SELECT rowid FROM {quoted(table)} WHERE {filled} AND ({', '.join(map(quoted, named))}) NOT IN "
        f"(SELECT {', '.join(map(quoted, parent_columns))} FROM {quoted(parent)} WHERE {parents_filled})"
    )


def _duplicates(connection: sqlite3.Connection, table: str, index: TargetIndex) -> Iterator[Objection]:
    """Rows that share a key; none is preferred, since which one is right is not ours to guess."""
    if frozenset(index.columns) in _unique_column_sets(connection, table):
        return
    columns = ", ".join(map(quoted, index.columns))
    filled = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in index.columns)
    rows = connection.execute(
        f"SELECT row FROM (SELECT rowid AS row, count(*) OVER (PARTITION BY {columns}) AS rows FROM {quoted(table)} "
        f"WHERE {filled}) WHERE rows > 1"
    )
    rowids = [rowid for (rowid,) in rows]
    if rowids:
        detail = f"shares its value of {', '.join(index.columns)} with another row, which {index.name} forbids"
        yield Objection(table, ", ".join(index.columns), DUPLICATE, detail, _array(rowids))


def _unique_column_sets(connection: sqlite3.Connection, table: str) -> set[frozenset[str]]:
    """What SQLite itself keeps unique, by total unique indexes over plain columns."""
    indexes = connection.execute('SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', (table,))
    return {
        frozenset(name for (name,) in connection.execute("SELECT name FROM pragma_index_info(?)", (index,)))
        for (index,) in indexes.fetchall()
    }


def _children(connection: sqlite3.Connection, key: TargetForeignKey, parents: set[int]) -> set[int]:
    matches = " AND ".join(
        f"parent.{quoted(there)} = child.{quoted(here)}"
        for here, there in zip(key.columns, key.parent_columns, strict=True)
    )
    rows = connection.execute(
        f"SELECT child.rowid FROM {quoted(key.parent)} parent JOIN {quoted(key.table)} child ON {matches} "
        "WHERE parent.rowid IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(parents)),),
    )
    return {rowid for (rowid,) in rows}


def _array(rowids: Iterable[int]) -> Rowids:
    return np.unique(np.fromiter(rowids, dtype=np.int64))
