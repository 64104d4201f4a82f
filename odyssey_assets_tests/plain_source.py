"""Small Odyssey databases in SQLite, written from the facts alone, into which a test plants what it is about.

Belongs here: tables as Prisma makes them or without any constraint, and sound rows with chosen cells replaced.
Does not belong here: anything of the engine under test, or realistic data (see ``sample``).
"""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from odyssey_assets_tests.oracle_catalog import FACTS_DIR

MILLISECONDS = 1_760_000_000_000
"""A moment of 2025, as Prisma's classic engine stores it."""

PRISMA_TABLE = """CREATE TABLE "_prisma_migrations" ("id" TEXT PRIMARY KEY NOT NULL, "checksum" TEXT NOT NULL,
    "finished_at" DATETIME, "migration_name" TEXT NOT NULL, "logs" TEXT, "rolled_back_at" DATETIME,
    "started_at" DATETIME NOT NULL DEFAULT current_timestamp,
    "applied_steps_count" INTEGER UNSIGNED NOT NULL DEFAULT 0)"""


class TextBytes(bytes):
    """Bytes to be stored as TEXT whatever they are; plain ``bytes`` become a BLOB."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@cache
def facts_of(version: int = 5) -> dict[str, Any]:
    """Enums and tables as both databases have them; not to be changed."""
    facts: dict[str, Any] = json.loads((FACTS_DIR / f"schema_v{version}.json").read_text(encoding="utf-8"))
    return facts


@cache
def tables_of(version: int = 5) -> dict[str, Any]:
    """The facts by table, parents before children."""
    facts = facts_of(version)["tables"]
    ordered: dict[str, Any] = {}
    while len(ordered) < len(facts):
        for name, table in facts.items():
            if {key["references"] for key in table["foreign_keys"]} - {name} <= ordered.keys():
                ordered.setdefault(name, table)
    return ordered


def kind_of(column: dict[str, Any], version: int = 5) -> str:
    """``text``, ``json``, ``enum``, ``integer``, ``double``, ``boolean`` or ``moment``."""
    postgres_type = column["postgres_type"]
    if postgres_type in facts_of(version)["enums"]:
        return "enum"
    if column.get("holds_json"):
        return "json"
    return {"double precision": "double", "timestamp(3) without time zone": "moment"}.get(postgres_type, postgres_type)


def create_table_sql(name: str, version: int = 5, *, is_bare: bool = False, reorder: int = 1) -> list[str]:
    """CREATE TABLE and its indexes.

    Bare tables have the types and nothing else; ``reorder`` -1 turns the columns round.
    """
    table = tables_of(version)[name]
    key = table["primary_key"]["columns"] if table["primary_key"] else []
    lines = []
    for column in table["columns"][::reorder]:
        parts = [quoted(column["name"]), column["sqlite_type"]]
        if not is_bare:
            parts += ["NOT NULL"] * (not column["nullable"]) + ["PRIMARY KEY"] * (key == [column["name"]])
        lines.append(" ".join(parts))
    if is_bare:
        return [f"CREATE TABLE {quoted(name)} ({', '.join(lines)})"]
    lines += [
        f"CONSTRAINT {quoted(each['name'])} FOREIGN KEY ({_names(each['columns'])}) REFERENCES "
        f"{quoted(each['references'])} ({_names(each['referenced_columns'])}) "
        f"ON DELETE {each['on_delete']} ON UPDATE {each['on_update']}"
        for each in table["foreign_keys"]
    ]
    indexes = [
        f"CREATE {'UNIQUE ' * each['unique']}INDEX {quoted(each['name'])} ON {quoted(name)} ({_names(each['columns'])})"
        for each in table["indexes"]
    ]
    if len(key) > 1:
        indexes.append(f"CREATE UNIQUE INDEX {quoted(name + '_AB_unique')} ON {quoted(name)} ({_names(key)})")
    return [f"CREATE TABLE {quoted(name)} ({', '.join(lines)})", *indexes]


def sound_row(table: str, name: str, version: int = 5, /, **cells: Any) -> dict[str, Any]:
    """A row whose id is ``<table>-<name>`` and whose parents are the rows of that name; ``cells`` replace its values.

    Columns that may be NULL are, so that nothing refers to itself.
    """
    facts = facts_of(version)
    described = facts["tables"][table]
    parents = {key["columns"][0]: key["references"] for key in described["foreign_keys"]}
    row: dict[str, Any] = {}
    for column in described["columns"]:
        kind = kind_of(column, version)
        if column["nullable"]:
            row[column["name"]] = None
        elif column["name"] in parents:
            row[column["name"]] = f"{parents[column['name']]}-{name}"
        elif column["name"] == "id":
            row["id"] = f"{table}-{name}"
        elif kind == "enum":
            row[column["name"]] = facts["enums"][column["postgres_type"]][0]
        elif kind == "text":
            row[column["name"]] = _reference(table, column["name"], name) or f"{column['name']} {name}"
        else:
            sound = {"json": "[]", "integer": 7, "double": 0.5, "boolean": 1, "moment": MILLISECONDS}
            row[column["name"]] = sound[kind]
    return row | cells


def insert(connection: sqlite3.Connection, table: str, row: dict[str, Any], *, verb: str = "INSERT") -> int | None:
    """The new row's rowid, or None where SQLite's own constraints kept it out under INSERT OR IGNORE."""
    places = ", ".join("CAST(? AS TEXT)" if isinstance(value, TextBytes) else "?" for value in row.values())
    values = [bytes(value) if isinstance(value, TextBytes) else value for value in row.values()]
    cursor = connection.execute(f"{verb} INTO {quoted(table)} ({_names(row)}) VALUES ({places})", values)
    return cursor.lastrowid if cursor.rowcount else None


def write_database(path: Path, *, version: int = 5, rows: int = 2, is_bare: bool = False, reorder: int = 1) -> Path:
    """Every table of a version with ``rows`` sound rows, named 0, 1, 2 and so on."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in tables_of(version):
            for statement in create_table_sql(table, version, is_bare=is_bare, reorder=reorder):
                connection.execute(statement)
            for number in range(rows):
                insert(connection, table, sound_row(table, str(number), version))
    return path


def plant(path: Path, table: str, rowid: int, /, **cells: Any) -> None:
    """Replace cells of one row, as a writer that SQLite does not check."""
    places = ", ".join(
        f"{quoted(name)} = {'CAST(? AS TEXT)' if isinstance(value, TextBytes) else '?'}"
        for name, value in cells.items()
    )
    values = [bytes(value) if isinstance(value, TextBytes) else value for value in cells.values()]
    with closing(sqlite3.connect(path)) as connection, connection:
        done = connection.execute(f"UPDATE {quoted(table)} SET {places} WHERE rowid = ?", [*values, rowid])
        assert done.rowcount == 1


_SOFT = {
    ("AuditLog", "userId"): "User",
    ("CollaborationComment", "authorId"): "User",
    ("FeedbackAIMetadata", "feedbackId"): "Feedback",
    ("HRISConflict", "syncId"): "HRISSync",
    ("SessionRecording", "recordedBy"): "User",
}


def keep_only(path: Path, tables: Iterable[str]) -> None:
    """Empty every other table, for runs of a few; the kept ones must refer to nothing else."""
    kept = set(tables)
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in tables_of():
            if table not in kept:
                connection.execute(f"DELETE FROM {quoted(table)}")
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def _reference(table: str, column: str, name: str) -> str | None:
    """A required id without a constraint points to the parent of the same name."""
    parent = _SOFT.get((table, column))
    return f"{parent}-{name}" if parent else None


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))
