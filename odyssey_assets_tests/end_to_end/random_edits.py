"""Random edits of small Odyssey databases, by plain SQL, the same on SQLite and PostgreSQL.

Every edit ends in a state the application could have: what breaks a constraint is taken back by the database itself.

Belongs here: the edits. Does not belong here: the databases (``edited_databases``), syncing and judging
(``test_resync_property``), or anything of the engine under test.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from odyssey_assets_tests.end_to_end.edited_databases import Database, Postgres, Row, Sqlite
from odyssey_assets_tests.plain_source import facts_of, kind_of, quoted, tables_of

POOL = 9
"""Ids and unique values are drawn from this few, so that they come back, collide and change hands."""

# Nothing longer, for many texts stand in an index, whose entries end at 2,704 bytes.
TEXTS = ("", "a", "A", "á", "a\u0301", "NULL", "x" * 900, "\U0001f469 'quoted'", "odyssey")
DOUBLES = (0.0, -0.0, 0.1, 1.5, -1e300, 5e-324)
INTEGERS = (0, 1, -1, 2**31 - 1, -(2**31))
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)

BUSY_TABLES = ("User", "Village", "Feature", "Feedback", "Vote", "UserPoints", "NotificationPreferences", "Panel",
               "PanelMembership", "Account", "CollaborationSession", "CollaborationComment", "VerificationToken",
               "UserBadge", "Badge", "RoadmapItem", "_FeedbackToRoadmapItem", "Session",
               "_SessionFacilitators")  # fmt: skip
"""The tables with unique values, rings, restrictions and pairs; the others are edited now and then."""

SELF_REFERENCES = {"Feedback": "duplicateOfId", "CollaborationComment": "parentId"}


class Editor:
    """Edits one database at random; each public method is one edit of one table."""

    def __init__(self, chance: random.Random, database: Database) -> None:
        self.chance = chance
        self.database = database

    def insert(self, table: str) -> None:
        for _ in range(self.chance.randrange(1, 6)):
            self.database.insert(table, self.row(table))

    def update(self, table: str) -> None:
        for row in self.some(table):
            names = self.chance.sample([name for name in row if name != self.database.place],
                                       self.chance.randrange(1, min(4, len(row))))  # fmt: skip
            new = self.row(table)
            self.database.update(table, row, {name: new[name] for name in names})

    def delete(self, table: str) -> None:
        self.database.delete(table, self.some(table))

    def empty(self, table: str) -> None:
        self.database.run(f"DELETE FROM {quoted(table)}")

    def cast_again(self, table: str) -> None:
        """Rows go and come back under new ids, their unique values and all else as before."""
        for row in self.some(table):
            self.database.delete(table, [row])
            self.database.insert(table, {**row, **({"id": self.identifier()} if "id" in row else {})})

    def hand_on(self, table: str) -> None:
        """A chain: the first row takes a fresh unique value, each next one the value that became free."""
        rows = self.some(table, at_least=2)
        names = self.chance.choice(self.uniques(table))
        fresh = self.row(table)
        values = [{name: row[name] for name in names} for row in rows]
        self.database.update(table, rows[0], {name: fresh[name] for name in names})
        for row, freed in zip(self.by_key(table, rows[1:]), values[:-1], strict=True):
            self.database.update(table, row, freed)

    def hand_over(self, table: str) -> None:
        """A row goes and another one, new or old, takes its unique value."""
        gone, heir = self.some(table, at_least=2)[:2]
        names = self.chance.choice(self.uniques(table))
        self.database.delete(table, [gone])
        if self.chance.random() < 0.5:
            self.database.insert(table, self.row(table) | {name: gone[name] for name in names})
        else:
            self.database.update(table, heir, {name: gone[name] for name in names})

    def change_key(self, table: str) -> None:
        """Keys change and the children follow, as far as the application's foreign keys say so."""
        for row in self.some(table):
            name = "id" if "id" in row else next(iter(row))
            self.database.update(table, row, {name: self.row(table)[name]})

    def merge(self, table: str) -> None:
        """Everything that refers to one row is moved to another, and the row goes."""
        gone, heir = self.some(table, at_least=2)[:2]
        if "id" not in gone:
            raise NothingToEditError
        for child, facts in tables_of().items():
            for key in facts["foreign_keys"]:
                if key["references"] == table:
                    column = key["columns"][0]
                    moved = [row for row in self.database.rows(child) if row[column] == gone["id"]]
                    for row in moved:
                        self.database.update(child, row, {column: heir["id"]})
        self.database.run(f"DELETE FROM {quoted(table)} WHERE {quoted('id')} = ?", (gone["id"],))

    def ring(self, table: str) -> None:
        column = SELF_REFERENCES[table]
        rows = self.some(table)
        for row, following in zip(self.by_key(table, rows), [*rows[1:], rows[0]], strict=True):
            self.database.update(table, row, {column: following["id"]})

    def delete_ring(self, table: str) -> None:
        column = quoted(SELF_REFERENCES[table])
        self.database.run(f"DELETE FROM {quoted(table)} WHERE {column} IS NOT NULL")

    def rotate(self, table: str) -> None:
        """Rows pass unique values, keys or any other cells round, which no sequence of single updates could."""
        rows = self.some(table, at_least=2)
        names = [name for name in rows[0] if name != self.database.place]
        passed = self.chance.choice([*self.uniques(table), *([["id"]] if "id" in names else []),
                                     self.chance.sample(names, 1)])  # fmt: skip
        self.database.delete(table, rows)
        for row, following in zip(rows, [*rows[1:], rows[0]], strict=True):
            self.database.insert(table, row | {name: following[name] for name in passed})

    def shuffle(self, table: str) -> None:
        """The same rows in another order."""
        rows = self.some(table, at_least=1, at_most=1_000)
        self.database.delete(table, rows)
        for row in self.chance.sample(rows, len(rows)):
            self.database.insert(table, row)

    def some(self, table: str, *, at_least: int = 1, at_most: int = 4) -> list[Row]:
        rows = self.database.rows(table)
        if len(rows) < at_least:
            raise NothingToEditError
        return self.chance.sample(rows, min(len(rows), self.chance.randrange(at_least, at_most + 1)))

    def by_key(self, table: str, rows: list[Row]) -> Iterator[Row]:
        """The same rows wherever an update has put them meanwhile."""
        key = (tables_of()[table]["primary_key"] or {"columns": ["token"]})["columns"]
        for row in rows:
            wanted = [row[name] for name in key]
            yield next(each for each in self.database.rows(table) if [each[name] for name in key] == wanted)

    def uniques(self, table: str) -> list[list[str]]:
        found = [index["columns"] for index in tables_of()[table]["indexes"] if index["unique"]]
        if not found:
            raise NothingToEditError
        return found

    def identifier(self) -> str:
        return f"k{self.chance.randrange(POOL)}"

    def row(self, table: str) -> Row:
        facts = tables_of()[table]
        unique = {name for index in facts["indexes"] if index["unique"] for name in index["columns"]}
        row: Row = {}
        for column in facts["columns"]:
            name = column["name"]
            if name == "id" or (name in unique and column["postgres_type"] == "text"):
                row[name] = self.identifier()
            else:
                row[name] = self.value(column)
        for key in facts["foreign_keys"]:
            row[key["columns"][0]] = self.parent(table, key, row)
        return row

    def parent(self, table: str, key: Row, row: Row) -> Any:
        column = next(each for each in tables_of()[table]["columns"] if each["name"] == key["columns"][0])
        found = [
            each for (each,) in self.database.run(f"SELECT {quoted('id')} FROM {quoted(key['references'])} ORDER BY 1")
        ]
        if key["references"] == table:
            found.append(row["id"])
        if column["nullable"] and (not found or self.chance.random() < 0.4):
            return None
        if not found:
            raise NothingToEditError
        return self.chance.choice(found)

    def value(self, column: Row) -> Any:
        if column["nullable"] and self.chance.random() < 0.3:
            return None
        match kind_of(column):
            case "text":
                return self.chance.choice(TEXTS)
            case "json":
                return self.chance.choice(["[]", "{}", '{"a": 1}', '{"a":1}'])
            case "enum":
                return self.chance.choice(facts_of()["enums"][column["postgres_type"]])
            case "integer":
                return self.chance.choice(INTEGERS)
            case "double":
                return self.chance.choice(DOUBLES)
            case "boolean":
                return self.database.boolean(self.chance.random() < 0.5)
            case _:
                moment = NEW_YEAR + timedelta(milliseconds=self.chance.randrange(5) * 1_001)
                return self.database.moment(self.chance, moment)


class NothingToEditError(Exception):
    """The table has not the rows or columns an edit needs."""


EDITS: dict[str, int] = {"insert": 30, "update": 20, "delete": 10, "empty": 1, "cast_again": 6, "hand_on": 6,
                         "hand_over": 6, "change_key": 6, "merge": 4, "ring": 4, "delete_ring": 2}  # fmt: skip
UNENFORCED_EDITS: dict[str, int] = {"rotate": 14, "shuffle": 3}


def edit_sqlite(chance: random.Random, database: Sqlite) -> str | None:
    """One random edit; its name and table, or None where there was nothing to edit or a constraint forbade it."""
    name = _choose(chance, EDITS | UNENFORCED_EDITS)
    return _edit(chance, database, name, lambda: database.edit(enforced=name not in UNENFORCED_EDITS))


def edit_postgres(chance: random.Random, database: Postgres) -> str | None:
    """The same by someone who should not."""
    return _edit(chance, database, _choose(chance, EDITS), database.edit)


def _edit(
    chance: random.Random, database: Database, name: str, transaction: Callable[[], AbstractContextManager[None]]
) -> str | None:
    if "ring" in name:
        table = chance.choice(list(SELF_REFERENCES))
    else:
        table = chance.choice(BUSY_TABLES if chance.random() < 0.8 else list(tables_of()))
    try:
        with transaction():
            getattr(Editor(chance, database), name)(table)
    except (*database.broken, NothingToEditError):
        return None
    return f"{name} {table}"


def _choose(chance: random.Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]
