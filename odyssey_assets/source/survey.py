"""How many values of which storage class each column of a snapshot holds: the facts SQLite itself does not enforce.

Belongs here: counting, once per snapshot, in SQLite. Does not belong here: looking into values (``values``).
"""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind
from odyssey_assets.source.snapshot import open_snapshot

_ROWS_LOOKED_AT = 200
"""Rows that say which classes to count; counting one class a column instead of two or three halves the pass."""

_ROWS_WEIGHED = 100

STORAGE_CLASSES = ("integer", "real", "text", "blob", "null")

USUAL_CLASS: dict[Kind, str] = {
    Kind.TEXT: "text",
    Kind.JSON: "text",
    Kind.ENUM: "text",
    Kind.INTEGER: "integer",
    Kind.DOUBLE: "real",
    Kind.BOOLEAN: "integer",
    Kind.MOMENT: "integer",
}
"""What Prisma's classic engine writes for a kind."""

LEGAL_CLASSES: dict[Kind, frozenset[str]] = {
    **{kind: frozenset({usual, "null"}) for kind, usual in USUAL_CLASS.items()},
    Kind.MOMENT: frozenset({"integer", "text", "null"}),
}
"""What can be carried; anything else in a column is a finding. A REAL column holds no integers: affinity turns them."""


@dataclass(frozen=True)
class ColumnSurvey:
    """Rows by storage class; classes that do not occur are left out."""

    name: str
    kind: Kind
    rows_by_class: dict[str, int]

    @property
    def null_rows(self) -> int:
        return self.rows_by_class.get("null", 0)

    @property
    def illegal_classes(self) -> tuple[str, ...]:
        return tuple(sorted(self.rows_by_class.keys() - LEGAL_CLASSES[self.kind]))

    @property
    def value_classes(self) -> frozenset[str]:
        """The storage classes of the values that are not NULL."""
        return frozenset(self.rows_by_class.keys() - {"null"})


@dataclass(frozen=True)
class TableSurvey:
    """The facts of one table of a snapshot. ``row_bytes`` is about what a row takes; None where nobody looked."""

    table: str
    rows: int
    columns: dict[str, ColumnSurvey]
    row_bytes: float | None = None


def survey_table(snapshot: Path, table: str, kinds: dict[str, Kind]) -> TableSurvey:
    """Count the storage classes of the named columns.

    One pass counts what some rows let expect. Where that does not add up to all rows, something else is in the column,
    and one pass more counts every class of it.
    """
    # The rows themselves, not a covering index's copy of them.
    rows_sql = f"{quoted(table)} NOT INDEXED"
    with open_snapshot(snapshot) as connection:
        expected = _expected_classes(connection, table, tuple(kinds))
        counts = [_count_sql(name, each) for name, classes in expected.items() for each in classes]
        rows, *found = connection.execute(f"SELECT {', '.join(['count(*)', *counts])} FROM {rows_sql}").fetchone()
        values = iter(found)
        by_class = {name: {each: next(values) for each in classes} for name, classes in expected.items()}
        unexpected = [name for name in kinds if sum(by_class[name].values()) != rows]
        if unexpected:
            sums = ", ".join(_count_sql(name, each) for name in unexpected for each in STORAGE_CLASSES)
            exact = iter(connection.execute(f"SELECT {sums} FROM {rows_sql}").fetchone())
            by_class |= {name: {each: next(exact) for each in STORAGE_CLASSES} for name in unexpected}
        row_bytes = weigh_rows(connection, table, tuple(kinds)) if _has_rowid(connection, table) else None
    columns = {
        name: ColumnSurvey(name, kind, {each: count for each, count in by_class[name].items() if count})
        for name, kind in kinds.items()
    }
    return TableSurvey(table, rows, columns, row_bytes)


def weigh_rows(connection: sqlite3.Connection, table: str, names: tuple[str, ...]) -> float:
    """Bytes of the named columns in a row, on average over some rows from all over the table; 0 where it is empty."""
    sizes = " + ".join(f"coalesce(length(CAST({quoted(name)} AS BLOB)), 0)" for name in names)
    (row_bytes,) = connection.execute(
        f"SELECT avg({sizes}) FROM {quoted(table)} WHERE rowid IN (SELECT value FROM json_each(?))",
        (_places(connection, table, _ROWS_WEIGHED),),
    ).fetchone()
    return float(row_bytes or 0)


def _expected_classes(connection: sqlite3.Connection, table: str, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The classes of each column in some rows from all over the table, and NULL where it is allowed."""
    notes = connection.execute('SELECT name, "notnull" FROM pragma_table_xinfo(?)', (table,))
    required = {name for name, is_required in notes if is_required}
    classes = ", ".join(f"typeof({quoted(name)})" for name in names)
    if _has_rowid(connection, table):
        rows = connection.execute(
            f"SELECT {classes} FROM {quoted(table)} WHERE rowid IN (SELECT value FROM json_each(?))",
            (_places(connection, table, _ROWS_LOOKED_AT),),
        ).fetchall()
    else:
        rows = connection.execute(f"SELECT {classes} FROM {quoted(table)} LIMIT ?", (_ROWS_LOOKED_AT,)).fetchall()
    return {
        name: tuple(sorted({row[place] for row in rows} | ({"null"} if name not in required else set())))
        for place, name in enumerate(names)
    }


def _has_rowid(connection: sqlite3.Connection, table: str) -> bool:
    (without,) = connection.execute("SELECT wr FROM pragma_table_list(?) WHERE schema = 'main'", (table,)).fetchone()
    return not without


def _places(connection: sqlite3.Connection, table: str, number: int) -> str:
    """Rowids from all over a table, as JSON; not each has its row."""
    (last,) = connection.execute(f"SELECT max(rowid) FROM {quoted(table)}").fetchone()
    return json.dumps(list(range(1, (last or 0) + 1, max(1, (last or 0) // number))))


def _count_sql(column: str, storage_class: str) -> str:
    if storage_class == "null":
        return f"count(*) - count({quoted(column)})"
    # Counting what is not of the class is SQLite's fastest way to tell: 0.28 s where sum(typeof(c) = class) takes 0.32.
    return f"count(*) - count(nullif(typeof({quoted(column)}), '{storage_class}'))"


def unsurveyed(table: str, kinds: dict[str, Kind]) -> TableSurvey:
    """A survey that expects everything everywhere, for reading a few rows; its counts mean nothing."""
    every_class = dict.fromkeys(STORAGE_CLASSES, 1)
    return TableSurvey(table, 0, {name: ColumnSurvey(name, kind, every_class) for name, kind in kinds.items()})
