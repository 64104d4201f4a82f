"""Rows that refer to a parent in a table the run leaves out, and which PostgreSQL does not hold.

Belongs here: asking PostgreSQL for those parents. Does not belong here: references within the run, and those that lead
nowhere in SQLite either (``keys``).
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.preflight.keys import HELD_BACK_PARENT
from odyssey_assets.preflight.objections import Objection
from odyssey_assets.source.inspection import SourceCatalog
from odyssey_assets.source.snapshot import open_snapshot
from odyssey_assets.target.catalog import TargetCatalog, TargetForeignKey
from odyssey_assets.target.connection import query
from odyssey_assets.target.held_rows import recorded_rows

UNPUBLISHED_PARENT = "unpublished_parent"

KEYS_AT_A_TIME = 10_000
"""Parents asked for in one query."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class OutsideParents:
    """``held_back`` rows have a parent in quarantine and can wait there with it; the parents of ``unpublished`` ones
    have only not been published, so holding those rows back would be no answer."""

    held_back: tuple[Objection, ...] = ()
    unpublished: tuple[Objection, ...] = ()


def look_for_outside_parents(
    connection: Connection,
    found: TargetCatalog,
    snapshot: Path,
    source: SourceCatalog,
    target: TargetCatalog,
    tables: Iterable[CarriedTable],
    chosen: frozenset[str],
) -> OutsideParents:
    """Look at every foreign key of ``tables`` to a table that is not ``chosen``.

    ``found`` is what PostgreSQL has, ``target`` what it will have when the rows come.
    """
    keys = [
        key
        for table in tables
        for key in target.tables[table.name].foreign_keys
        if key.parent not in chosen and key.parent in source.tables and set(key.columns) <= set(table.column_names)
    ]
    if not keys:
        return OutsideParents()
    recorded = recorded_rows(connection, found.schema)
    held_back: list[Objection] = []
    unpublished: list[Objection] = []
    with open_snapshot(snapshot) as sqlite:
        for key in keys:
            missing = _missing_parents(connection, found, key, _keys_named(sqlite, key))
            rowids = _children(sqlite, key, missing)
            in_quarantine = recorded.get(key.parent, {})
            waiting = [child for child, parent in rowids if parent in in_quarantine]
            others = [child for child, parent in rowids if parent not in in_quarantine]
            held_back.extend(_objection(key, HELD_BACK_PARENT, _IS_HELD_BACK, waiting))
            unpublished.extend(_objection(key, UNPUBLISHED_PARENT, _IS_UNPUBLISHED, others))
    return OutsideParents(tuple(held_back), tuple(unpublished))


_IS_HELD_BACK = "refers to a row of {parent} that is held back in odyssey_sync.quarantine"
_IS_UNPUBLISHED = "refers to a row of {parent} that PostgreSQL does not hold yet; publish {parent} as well"


def _objection(key: TargetForeignKey, kind: str, detail: str, rowids: list[int]) -> Iterator[Objection]:
    if rowids:
        columns = ", ".join(key.columns)
        yield Objection(key.table, columns, kind, detail.format(parent=key.parent), np.unique(np.array(rowids)))


def _keys_named(sqlite: sqlite3.Connection, key: TargetForeignKey) -> Iterator[Key]:
    """Every parent's key that the table names; what PostgreSQL could not take is the values' business."""
    columns = ", ".join(map(quoted, key.columns))
    usual = " AND ".join(f"typeof({quoted(name)}) IN ('text', 'integer')" for name in key.columns)
    for row in sqlite.execute(f"SELECT DISTINCT {columns} FROM {quoted(key.table)} WHERE {usual}"):
        named = tuple(map(str, row))
        if all(_is_storable(part) for part in named):
            yield named


def _is_storable(text: str) -> bool:
    return "\x00" not in text and text.encode("utf-8", "ignore").decode("utf-8") == text


def _in_parts(keys: Iterable[Key]) -> Iterator[list[Key]]:
    left = iter(keys)
    while part := list(islice(left, KEYS_AT_A_TIME)):
        yield part


def _missing_parents(
    connection: Connection, found: TargetCatalog, key: TargetForeignKey, named: Iterable[Key]
) -> Iterator[Key]:
    if key.parent not in found.tables:
        yield from named
        return
    names = [f"k{place}" for place in range(len(key.columns))]
    arrays = ", ".join(f"${place + 1}::text[]" for place in range(len(key.columns)))
    matches = " AND ".join(
        f"parent.{quoted(there)}::text = wanted.{name}" for there, name in zip(key.parent_columns, names, strict=True)
    )
    sql = (
        f"SELECT {', '.join(names)} FROM unnest({arrays}) AS wanted({', '.join(names)}) WHERE NOT EXISTS "
        f"(SELECT 1 FROM {quoted(found.schema)}.{quoted(key.parent)} parent WHERE {matches})"
    )
    for some in _in_parts(named):
        for row in query(connection, sql, [list(parts) for parts in zip(*some, strict=True)]):
            yield tuple(str(row[name]) for name in names)


def _children(sqlite: sqlite3.Connection, key: TargetForeignKey, missing: Iterable[Key]) -> list[tuple[int, int]]:
    """Rowids of the rows that name these parents, each with the parent's; parents that SQLite lacks are left out."""
    named = " AND ".join(
        f"CAST(child.{quoted(name)} AS TEXT) = json_extract(wanted.value, '$[{place}]')"
        for place, name in enumerate(key.columns)
    )
    matches = " AND ".join(
        f"parent.{quoted(there)} = child.{quoted(here)}"
        for here, there in zip(key.columns, key.parent_columns, strict=True)
    )
    sql = (
        f"SELECT child.rowid, parent.rowid FROM json_each(?) wanted JOIN {quoted(key.table)} child ON {named} "
        f"JOIN {quoted(key.parent)} parent ON {matches}"
    )
    return [
        (int(child), int(parent))
        for some in _in_parts(missing)
        for child, parent in sqlite.execute(sql, (json.dumps(some),))
    ]
