"""What people write by hand: Python loops from ``sqlite3`` to psycopg2, into tables that keep their indexes.

Belongs here: the three usual scripts. They are spared the foreign keys, which rows that point forward would break.
Does not belong here: other tools (``pgloader``).
"""

import io
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is named in lower case there
from psycopg2.extras import execute_values
from sqlalchemy import Table

from odyssey_assets.benchmark.contender import Task, clocked
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind, kind_of
from odyssey_assets.model.schema import NEWEST_VERSION, schema_of_version, tables_in_order
from odyssey_assets.source.snapshot import open_snapshot
from odyssey_assets.target.ddl import create_schema_sql

Row = tuple[Any, ...]
Write = Callable[[Connection, Table, Iterator[Row]], None]

PAGE_ROWS = 1_000
"""Rows of one INSERT of many; larger ones were no faster."""

COPY_ROWS = 10_000
"""Rows of one text COPY, so that memory stays small."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def row_loop(task: Task) -> dict[str, float]:
    """One INSERT a row."""
    return {"row_loop": _seconds(task, _insert_one_by_one)}


def many_values(task: Task) -> dict[str, float]:
    """INSERTs of many rows each, by psycopg2's ``execute_values``, the fast form of ``executemany``."""
    return {"many_values": _seconds(task, _insert_many)}


def text_copy(task: Task) -> dict[str, float]:
    """COPY in text form."""
    return {"text_copy": _seconds(task, _copy_text)}


def _seconds(task: Task, write: Write) -> float:
    seconds: dict[str, float] = {}
    with closing(psycopg2.connect(task.uri)) as target, open_snapshot(task.sqlite) as source:
        with target, target.cursor() as cursor:
            for statement in create_schema_sql(schema_of_version(NEWEST_VERSION)):
                if "FOREIGN KEY" not in statement:
                    cursor.execute(statement)
        with clocked(seconds, "all"), target:
            for table in tables_in_order():
                write(target, table, _rows(source, table))
    return seconds["all"]


def _rows(source: sqlite3.Connection, table: Table) -> Iterator[Row]:
    columns = ", ".join(quoted(column.name) for column in table.columns)
    convert = tuple(_CONVERSION.get(kind_of(column)) for column in table.columns)
    for row in source.execute(f"SELECT {columns} FROM {quoted(table.name)} NOT INDEXED"):
        yield tuple(
            value if value is None or change is None else change(value)
            for value, change in zip(row, convert, strict=True)
        )


def _moment(value: int | str) -> datetime | str:
    return value if isinstance(value, str) else _EPOCH + timedelta(milliseconds=value)


_CONVERSION: dict[Kind, Callable[[Any], Any]] = {Kind.BOOLEAN: bool, Kind.MOMENT: _moment}


def _insert_sql(table: Table, values: str) -> str:
    columns = ", ".join(quoted(column.name) for column in table.columns)
    return f"INSERT INTO {quoted(table.name)} ({columns}) VALUES {values}"


def _insert_one_by_one(target: Connection, table: Table, rows: Iterable[Row]) -> None:
    sql = _insert_sql(table, f"({', '.join(['%s'] * len(table.columns))})")
    with target.cursor() as cursor:
        for row in rows:
            cursor.execute(sql, row)


def _insert_many(target: Connection, table: Table, rows: Iterable[Row]) -> None:
    with target.cursor() as cursor:
        execute_values(cursor, _insert_sql(table, "%s"), rows, page_size=PAGE_ROWS)


def _copy_text(target: Connection, table: Table, rows: Iterator[Row]) -> None:
    columns = ", ".join(quoted(column.name) for column in table.columns)
    with target.cursor() as cursor:
        while some := list(islice(rows, COPY_ROWS)):
            text = io.StringIO("".join("\t".join(map(_as_text, row)) + "\n" for row in some))
            cursor.copy_expert(f"COPY {quoted(table.name)} ({columns}) FROM STDIN", text)


def _as_text(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return value.replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")
    return value.isoformat() if isinstance(value, datetime) else json.dumps(value)
