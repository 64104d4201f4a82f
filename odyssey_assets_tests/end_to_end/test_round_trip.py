"""There and back: PostgreSQL read back and written to SQLite again in the source's own date format gives the same rows.

The way back is written here, by ``psycopg`` and ``sqlite3`` alone, and shares no code with the engine.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from odyssey_assets.sample.writer import DateForm, write_sample
from odyssey_assets.sync.run import run
from odyssey_assets_tests.plain_source import create_table_sql, kind_of, quoted, tables_of
from odyssey_assets_tests.statements import ask_sqlite
from odyssey_assets_tests.sync.requests import request_for

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_stored(kind: str, value: Any, dates: DateForm) -> Any:
    """A PostgreSQL value as Prisma would have put it into SQLite."""
    if value is None:
        return None
    match kind:
        case "boolean":
            return int(value)
        case "moment" if dates is DateForm.INTEGER:
            return (value.replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
        case "moment":
            return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}+00:00"
        case _:
            return value


TO_INTEGER = """
UPDATE {table} SET {name} = strftime('%s', {name}) * 1000 + iif({name} LIKE '%.%', substr({name}, 21, 3), 0)
WHERE typeof({name}) = 'text'"""
TO_ISO = """
UPDATE {table} SET {name} = strftime('%Y-%m-%dT%H:%M:%S', {name} / 1000, 'unixepoch')
    || printf('.%03d+00:00', {name} % 1000)"""


def rewrite_dates(path: Path, version: int, dates: DateForm) -> None:
    """Give all dates of a file one form; migrations and defaults leave others among them."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, facts in tables_of(version).items():
            for column in facts["columns"]:
                if kind_of(column, version) == "moment":
                    for statement in (TO_INTEGER, TO_ISO)[: 1 if dates is DateForm.INTEGER else 2]:
                        connection.execute(statement.format(table=quoted(table), name=quoted(column["name"])))


def write_back(uri: str, path: Path, version: int, dates: DateForm) -> None:
    """A SQLite file with everything PostgreSQL holds."""
    with psycopg.connect(uri) as source, closing(sqlite3.connect(path)) as target, target:
        for table, facts in tables_of(version).items():
            for statement in create_table_sql(table, version):
                target.execute(statement)
            kinds = [kind_of(column, version) for column in facts["columns"]]
            names = ", ".join(quoted(column["name"]) for column in facts["columns"])
            rows = source.execute(f"SELECT {names} FROM {quoted(table)}").fetchall()  # type: ignore[arg-type]
            target.executemany(
                f"INSERT INTO {quoted(table)} ({names}) VALUES ({', '.join('?' * len(kinds))})",
                [[as_stored(kind, cell, dates) for kind, cell in zip(kinds, row, strict=True)] for row in rows],
            )


def rows_of(path: Path, table: str, version: int) -> list[tuple[Any, ...]]:
    """Every cell with its storage class, floats to the last bit, in an order of their own."""
    cells = ", ".join(
        f"typeof({quoted(column['name'])}), {quoted(column['name'])}" for column in tables_of(version)[table]["columns"]
    )
    return sorted(
        (tuple(cell.hex() if isinstance(cell, float) else cell for cell in row) for row in ask_sqlite(
            path, f"SELECT {cells} FROM {quoted(table)}")),
        key=repr,
    )  # fmt: skip


@pytest.mark.parametrize("dates", DateForm)
@pytest.mark.parametrize("version", [1, 5])
def test_what_comes_back_is_what_went(tmp_path: Path, database_uri: str, version: int, dates: DateForm) -> None:
    source = write_sample(tmp_path / "odyssey.db", scale=0.3, version=version, dates=dates).path
    rewrite_dates(source, version, dates)
    assert run(request_for(tmp_path, source, database_uri)).ok
    write_back(database_uri, tmp_path / "back.db", version, dates)
    for table in tables_of(version):
        there, back = rows_of(source, table, version), rows_of(tmp_path / "back.db", table, version)
        assert back == there, table
        assert there, table
