"""A database in which every value stands in a row of its own for each kind of column, and what SQLite made of it.

Belongs here: writing and reading that file. Does not belong here: what has to become of the values
(``deserved_objections``).
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from odyssey_assets_tests.oracle_values import SqliteText
from odyssey_assets_tests.plain_source import create_table_sql, insert, quoted, sound_row, tables_of

SLOTS = {
    "Village": ["id", "name"],
    "User": ["id", "email", "displayName", "currentVillageId", "role", "consents", "createdAt"],
    "Feature": ["id"],
    "Feedback": [
        "authorId",
        "featureId",
        "duplicateOfId",
        "moderatedBy",
        "state",
        "productArea",
        "hasPii",
        "toxicityScore",
        "createdAt",
        "moderatedAt",
        "moderationSignals",
    ],
    "FeedbackAIMetadata": ["embedding", "sentimentScore", "sentiment"],
    "Panel": ["sizeTarget", "archived"],
    "RoadmapItem": ["featureIds"],
    "UserPoints": ["userId", "totalPoints"],
    "VerificationToken": ["identifier", "token", "expires"],
    "Vote": ["feedbackId", "decayedWeight"],
    "_FeatureToRoadmapItem": ["A"],
}
"""Columns of every kind, required and optional, plain, indexed, unique, keys and references of every sort."""

FOLLOWERS = {
    "Village": ("User", "currentVillageId"),
    "User": ("Feedback", "authorId"),
    "Feature": ("Feedback", "featureId"),
}
"""For each key a row that refers to it: it has to follow its parent, to PostgreSQL or into quarantine."""

TABLES = [name for name in tables_of() if name in SLOTS]

Row = dict[str, Any]


def write_source(path: Path, values: list[Any], *, is_bare: bool) -> None:
    """One row a value and slot; SQLite itself keeps some out where the tables have Prisma's constraints."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for table in TABLES:
            for statement in create_table_sql(table, is_bare=is_bare):
                connection.execute(statement)
        for table in TABLES:
            insert(connection, table, sound_row(table, "0"))
        present: set[tuple[str, str]] = set()
        for number, value in enumerate(values):
            for table, columns in SLOTS.items():
                for column in columns:
                    name = f"{table}.{column} {number}"
                    _insert_parents(connection, table, name, present)
                    insert(connection, table, sound_row(table, name, **{column: value}), verb="INSERT OR IGNORE")
            for parent, (table, column) in FOLLOWERS.items():
                name = f"follower of {parent} {number}"
                _insert_parents(connection, table, name, present)
                insert(connection, table, sound_row(table, name, **{column: value}), verb="INSERT OR IGNORE")
        connection.execute("COMMIT")


def _insert_parents(connection: sqlite3.Connection, table: str, name: str, present: set[tuple[str, str]]) -> None:
    required = {column["name"] for column in tables_of()[table]["columns"] if not column["nullable"]}
    for key in tables_of()[table]["foreign_keys"]:
        parent = key["references"]
        if key["columns"][0] in required and (parent, name) not in present:
            present.add((parent, name))
            _insert_parents(connection, parent, name, present)
            insert(connection, parent, sound_row(parent, name))


def stored_rows(path: Path) -> dict[str, dict[int, Row]]:
    """What SQLite really holds after its affinities have had their way, by table and rowid."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = SqliteText
        found = {}
        for table in TABLES:
            cursor = connection.execute(f"SELECT rowid, * FROM {quoted(table)}")
            names = [each[0] for each in cursor.description][1:]
            found[table] = {row[0]: dict(zip(names, row[1:], strict=True)) for row in cursor}
    return found


def without_rows(path: Path, held: set[tuple[str, int]]) -> Path:
    copy = path.with_suffix(".carried.db")
    shutil.copyfile(path, copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        for table, rowid in held:
            connection.execute(f"DELETE FROM {quoted(table)} WHERE rowid = ?", (rowid,))
    return copy
