"""SQLite and PostgreSQL behind one small interface for edits by plain SQL, each in a transaction of its own.

Belongs here: the two kinds of database. Does not belong here: which edits (``random_edits``), or anything of the engine
under test.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from odyssey_assets_tests.plain_source import create_table_sql, quoted, tables_of

Row = dict[str, Any]


class Database:
    """One side. ``place`` is the pseudo-column that addresses a row within one edit."""

    place: str
    broken: tuple[type[Exception], ...]

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def moment(self, chance: random.Random, moment: datetime) -> Any:
        raise NotImplementedError

    def boolean(self, value: bool) -> Any:
        raise NotImplementedError

    @contextmanager
    def edit(self) -> Iterator[None]:
        raise NotImplementedError
        yield

    def rows(self, table: str) -> list[Row]:
        names = [column["name"] for column in tables_of()[table]["columns"]]
        listed = ", ".join(map(quoted, names))
        found = self.run(f"SELECT {listed}, {self.place} FROM {quoted(table)} ORDER BY {listed}")
        return [dict(zip([*names, self.place], row, strict=True)) for row in found]

    def insert(self, table: str, row: Row) -> None:
        cells = {name: value for name, value in row.items() if name != self.place}
        names, places = ", ".join(map(quoted, cells)), ", ".join("?" * len(cells))
        self.run(f"INSERT INTO {quoted(table)} ({names}) VALUES ({places})", tuple(cells.values()))

    def update(self, table: str, row: Row, cells: Row) -> None:
        assignments = ", ".join(f"{quoted(name)} = ?" for name in cells)
        self.run(
            f"UPDATE {quoted(table)} SET {assignments} WHERE {self.place} = ?",
            (*cells.values(), row[self.place]),
        )

    def delete(self, table: str, rows: list[Row]) -> None:
        places = ", ".join("?" * len(rows))
        self.run(
            f"DELETE FROM {quoted(table)} WHERE {self.place} IN ({places})", tuple(row[self.place] for row in rows)
        )


class Sqlite(Database):
    """The source, with foreign keys enforced as Prisma does; ``journal`` is every statement that stayed."""

    place = "rowid"
    broken = (sqlite3.IntegrityError,)

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.journal: list[tuple[str, tuple[Any, ...]]] = []
        self.run("PRAGMA journal_mode = WAL")
        for table in tables_of():
            for statement in create_table_sql(table):
                self.run(statement)
        self.journal.clear()

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        found = self.connection.execute(statement, values).fetchall()
        if not statement.startswith(("SELECT", "PRAGMA")):
            self.journal.append((statement, values))
        return found

    def moment(self, chance: random.Random, moment: datetime) -> Any:
        forms: list[Callable[[], Any]] = [
            lambda: round(moment.timestamp() * 1_000),
            lambda: moment.isoformat(timespec="milliseconds"),
            lambda: f"{moment:%Y-%m-%d %H:%M:%S}",
        ]
        return chance.choice(forms)()

    def boolean(self, value: bool) -> Any:
        return int(value)

    @contextmanager
    def edit(self, *, enforced: bool = True) -> Iterator[None]:
        """One transaction. Not enforced, rows may be moved about as long as every reference holds at the end."""
        self.run(f"PRAGMA foreign_keys = {'ON' if enforced else 'OFF'}")
        kept = len(self.journal)
        self.run("BEGIN")
        try:
            yield
            if not enforced and self.run("PRAGMA foreign_key_check"):
                raise sqlite3.IntegrityError("a reference would dangle")
            self.run("COMMIT")
        except BaseException:
            self.run("ROLLBACK")
            del self.journal[kept:]
            raise


class Postgres(Database):
    """The target, in the hands of someone who should not write to it."""

    place = "ctid"
    broken = (psycopg.errors.IntegrityError,)

    def __init__(self, uri: str, schema: str) -> None:
        self.connection = psycopg.connect(uri, autocommit=True)
        self.connection.execute(f'SET search_path = "{schema}"')

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(statement.replace("?", "%s"), values or None)
        return cursor.fetchall() if cursor.description else []

    def moment(self, chance: random.Random, moment: datetime) -> Any:
        return moment.replace(tzinfo=None) + timedelta(microseconds=1_000 * chance.randrange(3))

    def boolean(self, value: bool) -> Any:
        return value

    @contextmanager
    def edit(self) -> Iterator[None]:
        with self.connection.transaction():
            yield


@contextmanager
def new_source(path: Path) -> Iterator[Sqlite]:
    """An Odyssey database without rows."""
    database = Sqlite(path)
    with closing(database.connection):
        yield database


@contextmanager
def tampering(uri: str, schema: str) -> Iterator[Postgres]:
    """Someone's own session in PostgreSQL."""
    database = Postgres(uri, schema)
    with closing(database.connection):
        yield database
