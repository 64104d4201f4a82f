"""Plain SQL on either side of a test, and the application's PostgreSQL schema written from the facts alone.

Belongs here: running statements by ``sqlite3`` and ``psycopg``, and Prisma's DDL. Does not belong here: anything of the
engine under test, or comparing (``oracle``).
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from odyssey_assets_tests.oracle_catalog import facts_for


def run_sqlite(path: Path, *statements: str) -> None:
    """Run statements on a SQLite file, foreign keys unenforced as SQLite has them by default."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def ask_sqlite(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def run_postgres(uri: str, script: str) -> None:
    """Run a script in one transaction."""
    with psycopg.connect(uri) as connection:
        connection.execute(script)


def ask_postgres(uri: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(uri) as connection:
        return connection.execute(query).fetchall()


def prisma_sql(version: int, *, schema: str = "public", is_reversed: bool = False) -> str:
    """What ``prisma migrate deploy`` would run for one version of the application, from the facts about it.

    ``is_reversed`` turns the order of every table's columns round, as no migration would, but as any may in part.
    """
    facts = facts_for(version)
    parts = [f'CREATE SCHEMA IF NOT EXISTS "{schema}"', f'SET LOCAL search_path = "{schema}"']
    for name, labels in facts["enums"].items():
        parts.append(f'CREATE TYPE "{name}" AS ENUM ({", ".join(_literal(label) for label in labels)})')
    for name, table in facts["tables"].items():
        lines = [_column_sql(column, facts["enums"]) for column in table["columns"][:: -1 if is_reversed else 1]]
        if key := table["primary_key"]:
            lines.append(f'CONSTRAINT "{key["name"]}" PRIMARY KEY ({_names(key["columns"])})')
        parts.append(f'CREATE TABLE "{name}" ({", ".join(lines)})')
        parts += [
            f'CREATE {"UNIQUE " * index["unique"]}INDEX "{index["name"]}" ON "{name}" ({_names(index["columns"])})'
            for index in table["indexes"]
        ]
    parts += [
        f'ALTER TABLE "{name}" ADD CONSTRAINT "{key["name"]}" FOREIGN KEY ({_names(key["columns"])}) '
        f'REFERENCES "{key["references"]}" ({_names(key["referenced_columns"])}) '
        f"ON DELETE {key['on_delete']} ON UPDATE {key['on_update']}"
        for name, table in facts["tables"].items()
        for key in table["foreign_keys"]
    ]
    return ";\n".join(parts)


def _column_sql(column: dict[str, Any], enums: dict[str, Any]) -> str:
    type_name = f'"{column["postgres_type"]}"' if column["postgres_type"] in enums else column["postgres_type"]
    required = "" if column["nullable"] else " NOT NULL"
    default = "" if column["postgres_default"] is None else f" DEFAULT {column['postgres_default']}"
    return f'"{column["name"]}" {type_name}{required}{default}'


def _names(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
