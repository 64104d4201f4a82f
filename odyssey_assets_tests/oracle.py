"""An independent judge: do a SQLite file and a PostgreSQL database hold the same Odyssey data?

Belongs here: plain row by row comparison and dumps for tests, by ``sqlite3`` and ``psycopg`` alone.
Does not belong here: anything imported from the engine, for a shared mistake would prove itself right; the meaning
of single values (``oracle_values``); the shape of a PostgreSQL schema (``oracle_catalog``).
"""

import sqlite3
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from odyssey_assets_tests.oracle_catalog import catalog, facts_for
from odyssey_assets_tests.oracle_values import (
    RULES,
    Rule,
    SourceValue,
    SqliteText,
    shown_pair,
    shown_source,
    shown_target,
    source_meaning,
    target_meaning,
)

__all__ = ["catalog", "differences", "dump", "facts_for"]

PRISMA_TABLE = "_prisma_migrations"
BOOKKEEPING_SCHEMA = "odyssey_sync"

TABLES_SQL = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum),
       array_agg(CASE t.typtype WHEN 'e' THEN 'enum' ELSE t.typname::text END ORDER BY a.attnum),
       ARRAY(SELECT k.attname::text
             FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS part(attnum, position), pg_attribute k
             WHERE i.indrelid = c.oid AND i.indisprimary AND k.attrelid = c.oid AND k.attnum = part.attnum
             ORDER BY part.position)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname = %s AND c.relkind IN ('r', 'p')
GROUP BY c.oid, c.relname"""
SCHEMAS_SQL = """
SELECT nspname FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' ORDER BY nspname"""


@dataclass(frozen=True)
class TargetTable:
    """A PostgreSQL table: type name per column, and the primary key's columns in order (empty without one)."""

    types: dict[str, str]
    key: list[str]


@dataclass(frozen=True)
class Shared:
    """What is compared of one table: its columns on both sides, their rules, and the key that matches rows."""

    table: str
    columns: list[str]
    rules: list[Rule]
    key: list[int]

    def named(self, positions: list[int], shown: list[str]) -> str:
        cells = ", ".join(f"{self.columns[at]}={shown[at]}" for at in positions)
        return f"{self.table}({cells})"

    def source_row(self, row: tuple[SourceValue, ...]) -> str:
        shown = [shown_source(rule, value) for rule, value in zip(self.rules, row, strict=True)]
        return self.named(self.key or list(range(len(shown))), shown)

    def target_row(self, row: tuple[str | None, ...]) -> str:
        shown = [shown_target(rule, value) for rule, value in zip(self.rules, row, strict=True)]
        return self.named(self.key or list(range(len(shown))), shown)


def differences(sqlite_path: Path, postgres_uri: str, *, schema: str = "public", limit: int = 50) -> list[str]:
    """What differs between the two, one sentence each with table, key, column and both values; empty when equal.

    At most ``limit`` are listed, and then how many more there are. PostgreSQL may have other column orders, columns
    the source lacks, and further tables if these are empty. Raises KeyError for a PostgreSQL type it has no rule for,
    and the drivers' errors where a database cannot be read: then there is no verdict.
    """
    with _sqlite(sqlite_path) as source, _postgres(postgres_uri) as target:
        reports = _differences(source, target, schema)
        found = list(islice(reports, limit))
        further = sum(1 for _ in reports)
    return [*found, f"and {further} more"] if further else found


def dump(postgres_uri: str) -> dict[str, list[tuple[str | None, ...]]]:
    """Every row of every table as text, sorted; of the bookkeeping schema only the number of rows per table.

    Tables outside ``public`` are named ``schema.table``.
    """
    rows: dict[str, list[tuple[str | None, ...]]] = {}
    with _postgres(postgres_uri) as target:
        for (schema,) in target.execute(SCHEMAS_SQL).fetchall():
            for table, described in _target_tables(target, schema).items():
                name = table if schema == "public" else f"{schema}.{table}"
                if schema == BOOKKEEPING_SCHEMA:
                    rows[name] = [(str(_count(target, schema, table)),)]
                else:
                    rows[name] = _rows_as_text(target, schema, table, list(described.types))
    return rows


@contextmanager
def _sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as connection:
        # A class of its own for TEXT: plain bytes could not be told from a BLOB.
        connection.text_factory = SqliteText
        connection.execute("BEGIN")
        yield connection


@contextmanager
def _postgres(uri: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(uri, client_encoding="UTF8") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL extra_float_digits = 1")
        yield connection


def _differences(source: sqlite3.Connection, target: psycopg.Connection[Any], schema: str) -> Iterator[str]:
    source_tables = _source_tables(source)
    target_tables = _target_tables(target, schema)
    for table, source_columns in source_tables.items():
        if table not in target_tables:
            yield f"{table}: table only in SQLite"
            continue
        types = target_tables[table].types
        for column in source_columns:
            if column not in types:
                yield f"{table}.{column}: column only in SQLite"
        columns = [column for column in source_columns if column in types]
        if not columns:
            continue
        key = target_tables[table].key
        shared = Shared(
            table=table,
            columns=columns,
            rules=[RULES[types[column]] for column in columns],
            key=[columns.index(column) for column in key] if set(key) <= set(columns) else [],
        )
        compare = _differences_by_key if shared.key else _differences_of_multisets
        yield from compare(shared, _source_rows(source, shared), _target_rows(target, shared, schema))
    for table in sorted(set(target_tables) - set(source_tables) - {PRISMA_TABLE}):
        if count := _count(target, schema, table):
            yield f"{table}: table only in PostgreSQL, with {count} rows"


def _differences_by_key(
    shared: Shared, source_rows: Iterator[tuple[SourceValue, ...]], target_rows: Iterator[tuple[str | None, ...]]
) -> Iterator[str]:
    unmatched = {tuple(target_meaning(shared.rules[at], row[at]) for at in shared.key): row for row in target_rows}
    for source_row in source_rows:
        target_row = unmatched.pop(tuple(source_meaning(shared.rules[at], source_row[at]) for at in shared.key), None)
        if target_row is None:
            yield f"{shared.source_row(source_row)}: row only in SQLite"
            continue
        for column, rule, here, there in zip(shared.columns, shared.rules, source_row, target_row, strict=True):
            if source_meaning(rule, here) != target_meaning(rule, there):
                yield f"{shared.source_row(source_row)}.{column}: {shown_pair(rule, here, there)}"
    for name in sorted(map(shared.target_row, unmatched.values())):
        yield f"{name}: row only in PostgreSQL"


def _differences_of_multisets(
    shared: Shared, source_rows: Iterator[tuple[SourceValue, ...]], target_rows: Iterator[tuple[str | None, ...]]
) -> Iterator[str]:
    shown: dict[tuple[Hashable, ...], str] = {}
    counts: tuple[Counter[tuple[Hashable, ...]], Counter[tuple[Hashable, ...]]] = (Counter(), Counter())
    for target_row in target_rows:
        row = tuple(target_meaning(rule, value) for rule, value in zip(shared.rules, target_row, strict=True))
        counts[1][row] += 1
        shown.setdefault(row, shared.target_row(target_row))
    for source_row in source_rows:
        row = tuple(source_meaning(rule, value) for rule, value in zip(shared.rules, source_row, strict=True))
        counts[0][row] += 1
        shown[row] = shared.source_row(source_row)
    for row, name in sorted(shown.items(), key=lambda item: item[1]):
        if counts[0][row] != counts[1][row]:
            yield f"{name}: {counts[0][row]} in SQLite, {counts[1][row]} in PostgreSQL"


def _source_tables(source: sqlite3.Connection) -> dict[str, list[str]]:
    names = [name.decode() for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    kept = sorted(name for name in names if not name.startswith("sqlite_") and name != PRISMA_TABLE)
    columns_sql = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid"
    return {table: [name.decode() for (name,) in source.execute(columns_sql, (table,))] for table in kept}


def _source_rows(source: sqlite3.Connection, shared: Shared) -> Iterator[tuple[SourceValue, ...]]:
    columns = ", ".join(map(_quoted, shared.columns))
    # NOT INDEXED: the rows themselves are read, not a covering index's copy of them.
    return iter(source.execute(f"SELECT {columns} FROM {_quoted(shared.table)} NOT INDEXED"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _target_tables(target: psycopg.Connection[Any], schema: str) -> dict[str, TargetTable]:
    return {
        table: TargetTable(types=dict(zip(columns, types, strict=True)), key=key)
        for table, columns, types, key in target.execute(TABLES_SQL, (schema,))
    }


def _target_rows(target: psycopg.Connection[Any], shared: Shared, schema: str) -> Iterator[tuple[str | None, ...]]:
    values = [
        sql.SQL(rule.target_sql).format(sql.Identifier(column))
        for column, rule in zip(shared.columns, shared.rules, strict=True)
    ]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(values), sql.Identifier(schema, shared.table))
    with target.cursor(name="oracle") as cursor:
        cursor.itersize = 10_000
        yield from cursor.execute(query)


def _rows_as_text(
    target: psycopg.Connection[Any], schema: str, table: str, columns: list[str]
) -> list[tuple[str | None, ...]]:
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns)
    rows = target.execute(sql.SQL("SELECT {} FROM {}").format(texts, sql.Identifier(schema, table)))
    return sorted(rows, key=lambda row: [(value is not None, value or "") for value in row])


def _count(target: psycopg.Connection[Any], schema: str, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
    return int(target.execute(query).fetchall()[0][0])
