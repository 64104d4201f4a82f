"""The SQLite schema we write has exactly what the application's own has, by the pragmas of a real file.

The facts of the five versions stand in ``facts/``; they were read from what Prisma made.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import ALL_VERSIONS, schema_of_version
from odyssey_assets.source.ddl import create_indexes_sql, create_schema_sql, create_table_sql

FACTS = Path(__file__).parent.parent / "facts"
Tables = dict[str, dict[str, Any]]


@cache
def facts_of(version: int) -> Tables:
    tables: Tables = json.loads((FACTS / f"schema_v{version}.json").read_text())["tables"]
    return tables


@pytest.fixture(scope="module", params=ALL_VERSIONS, ids=lambda version: f"v{version}")
def made(request: pytest.FixtureRequest) -> Iterator[tuple[sqlite3.Connection, Tables]]:
    """A database made by our statements, and the facts it must equal."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        for statement in create_schema_sql(schema_of_version(request.param)):
            connection.execute(statement)
        yield connection, facts_of(request.param)


Made = tuple[sqlite3.Connection, Tables]


def test_the_tables_are_the_application_s(made: Made) -> None:
    connection, facts = made
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    assert {name for (name,) in names} == facts.keys()


def test_columns_have_type_default_and_nullability(made: Made) -> None:
    connection, facts = made
    for table, expected in facts.items():
        found = connection.execute(f'SELECT name, type, dflt_value, "notnull" FROM pragma_table_info({quoted(table)})')
        assert found.fetchall() == [
            (column["name"], column["sqlite_type"], column["sqlite_default"], int(not column["nullable"]))
            for column in expected["columns"]
        ], table


def test_keys_are_primary_except_in_join_tables(made: Made) -> None:
    connection, facts = made
    for table, expected in facts.items():
        found = connection.execute(f"SELECT name FROM pragma_table_info({quoted(table)}) WHERE pk ORDER BY pk")
        key = [] if expected["primary_key"] is None else expected["primary_key"]["columns"]
        assert [name for (name,) in found] == ([] if table.startswith("_") else key), table


def test_foreign_keys_have_parent_and_actions(made: Made) -> None:
    connection, facts = made
    for table, expected in facts.items():
        found = connection.execute(
            f'SELECT "from", "table", "to", on_delete, on_update FROM pragma_foreign_key_list({quoted(table)})'
        )
        assert sorted(found.fetchall()) == sorted(
            (*key["columns"], key["references"], *key["referenced_columns"], key["on_delete"], key["on_update"])
            for key in expected["foreign_keys"]
        ), table
        (sql,) = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = ? AND type = 'table'", (table,)
        ).fetchone()
        assert all(f"CONSTRAINT {quoted(key['name'])} FOREIGN KEY" in sql for key in expected["foreign_keys"])


def test_indexes_have_name_columns_and_uniqueness(made: Made) -> None:
    connection, facts = made
    for table, expected in facts.items():
        listed = connection.execute(
            f"SELECT name, \"unique\" FROM pragma_index_list({quoted(table)}) WHERE origin = 'c'"
        ).fetchall()
        found = {name: (index_columns(connection, name), bool(unique)) for name, unique in listed}
        wanted = {index["name"]: (index["columns"], index["unique"]) for index in expected["indexes"]}
        if table.startswith("_"):
            wanted[f"{table}_AB_unique"] = (["A", "B"], True)
        assert found == wanted, table


def index_columns(connection: sqlite3.Connection, index: str) -> list[str]:
    found = connection.execute("SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index,))
    return [column for (column,) in found]


def test_parents_come_before_their_children() -> None:
    statements = create_schema_sql(schema_of_version(5))
    made: set[str] = set()
    for table in schema_of_version(5).sorted_tables:
        at = statements.index(create_table_sql(table))
        assert statements[at + 1 : at + 1 + len(create_indexes_sql(table))] == create_indexes_sql(table)
        parents = {key.column.table.name for key in table.foreign_keys} - {table.name}
        assert parents <= made
        made.add(table.name)


def test_a_table_is_one_whole_statement() -> None:
    table = schema_of_version(1).tables["AuthSession"]
    assert create_table_sql(table) == (
        'CREATE TABLE "AuthSession" (\n'
        '    "id" TEXT NOT NULL PRIMARY KEY,\n'
        '    "sessionToken" TEXT NOT NULL,\n'
        '    "userId" TEXT NOT NULL,\n'
        '    "expires" DATETIME NOT NULL,\n'
        '    CONSTRAINT "AuthSession_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") '
        "ON DELETE CASCADE ON UPDATE CASCADE\n"
        ")"
    )
    assert create_indexes_sql(table) == [
        'CREATE UNIQUE INDEX "AuthSession_sessionToken_key" ON "AuthSession"("sessionToken")',
        'CREATE INDEX "AuthSession_userId_idx" ON "AuthSession"("userId")',
    ]


def test_a_join_table_has_a_unique_index_for_a_key() -> None:
    assert create_indexes_sql(schema_of_version(5).tables["_PanelToQuestionnaire"]) == [
        'CREATE UNIQUE INDEX "_PanelToQuestionnaire_AB_unique" ON "_PanelToQuestionnaire"("A", "B")',
        'CREATE INDEX "_PanelToQuestionnaire_B_index" ON "_PanelToQuestionnaire"("B")',
    ]
