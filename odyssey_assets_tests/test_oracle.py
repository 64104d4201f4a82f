"""The oracle itself: missing, extra and swapped rows, tables and columns are caught, and it shares no code.

Belongs here: how the oracle matches rows and tables, and its dumps. Does not belong here: how it judges values
(``test_oracle_values``), or the shape of schemas (``test_oracle_catalog``).
"""

import ast
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from odyssey_assets_tests.oracle import differences, dump


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "odd name #1?.db"


def run_sqlite(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def run_postgres(uri: str, script: str) -> None:
    with psycopg.connect(uri) as connection:
        connection.execute(script)


JOIN_SQL = """
CREATE TABLE "_X" ("A" TEXT NOT NULL, "B" TEXT NOT NULL{key});
INSERT INTO "_X" VALUES {rows};"""
TOKEN_SQL = """
CREATE TABLE "Token" (name TEXT NOT NULL, uses INTEGER);
INSERT INTO "Token" VALUES {rows};"""


@pytest.mark.parametrize(
    ("source_rows", "target_rows", "expected"),
    [
        ("('a','b'),('c','d')", "('c','d'),('a','b')", []),
        ("('a','b'),('c','d')", "('a','b')", ["_X(B=TEXT 'd', A=TEXT 'c'): row only in SQLite"]),
        ("('a','b')", "('a','b'),('c','d')", ["_X(B='d', A='c'): row only in PostgreSQL"]),
        (
            "('a','b')",
            "('b','a')",
            ["_X(B=TEXT 'b', A=TEXT 'a'): row only in SQLite", "_X(B='a', A='b'): row only in PostgreSQL"],
        ),
        ("('a','b'),('a','b')", "('a','b')", ["_X(B=TEXT 'b', A=TEXT 'a'): row only in SQLite"]),
    ],
    ids=["other order", "missing row", "extra row", "swapped key", "source key twice"],
)
def test_rows_are_matched_by_the_whole_primary_key(
    sqlite_path: Path, database_uri: str, source_rows: str, target_rows: str, expected: list[str]
) -> None:
    run_sqlite(sqlite_path, JOIN_SQL.format(key="", rows=source_rows))
    run_postgres(database_uri, JOIN_SQL.format(key=', PRIMARY KEY ("B", "A")', rows=target_rows))
    assert differences(sqlite_path, database_uri) == expected


@pytest.mark.parametrize(
    ("source_rows", "target_rows", "expected"),
    [
        ("('a',1),('b',NULL),('a',1)", "('b',NULL),('a',1),('a',1)", []),
        (
            "('a',1),('a',1)",
            "('a',1)",
            ["Token(name=TEXT 'a', uses=INTEGER 1): 2 in SQLite, 1 in PostgreSQL"],
        ),
        ("('a',1)", "('a',1),('b',2)", ["Token(name='b', uses=2): 0 in SQLite, 1 in PostgreSQL"]),
        (
            "('a',1),('b',2)",
            "('a',2),('b',1)",
            [
                "Token(name='a', uses=2): 0 in SQLite, 1 in PostgreSQL",
                "Token(name='b', uses=1): 0 in SQLite, 1 in PostgreSQL",
                "Token(name=TEXT 'a', uses=INTEGER 1): 1 in SQLite, 0 in PostgreSQL",
                "Token(name=TEXT 'b', uses=INTEGER 2): 1 in SQLite, 0 in PostgreSQL",
            ],
        ),
    ],
    ids=["other order", "a duplicate lost", "extra row", "cells swapped between rows"],
)
def test_rows_without_a_primary_key_are_counted(
    sqlite_path: Path, database_uri: str, source_rows: str, target_rows: str, expected: list[str]
) -> None:
    run_sqlite(sqlite_path, TOKEN_SQL.format(rows=source_rows))
    run_postgres(database_uri, TOKEN_SQL.format(rows=target_rows))
    assert differences(sqlite_path, database_uri) == expected


def test_cells_swapped_between_two_columns_are_two_differences(sqlite_path: Path, database_uri: str) -> None:
    table = 'CREATE TABLE "U" (id TEXT PRIMARY KEY, a TEXT, b TEXT);'
    run_sqlite(sqlite_path, f"""{table} INSERT INTO "U" VALUES ('k', 'x', 'y')""")
    run_postgres(database_uri, f"""{table} INSERT INTO "U" VALUES ('k', 'y', 'x')""")
    assert differences(sqlite_path, database_uri) == [
        "U(id=TEXT 'k').a: SQLite TEXT 'x', PostgreSQL 'y'",
        "U(id=TEXT 'k').b: SQLite TEXT 'y', PostgreSQL 'x'",
    ]


def test_tables_and_columns_of_one_side_only(sqlite_path: Path, database_uri: str) -> None:
    run_sqlite(
        sqlite_path,
        "CREATE TABLE empty (id TEXT PRIMARY KEY); CREATE TABLE _prisma_migrations (id TEXT); ANALYZE;"
        "CREATE TABLE t (lost TEXT, b TEXT, id TEXT PRIMARY KEY); INSERT INTO t VALUES ('x', 'b', 'k');"
        "CREATE TABLE rekeyed (v INTEGER); INSERT INTO rekeyed VALUES (1), (2);",
    )
    run_postgres(
        database_uri,
        "CREATE TABLE t (id text PRIMARY KEY, b text, own text NOT NULL); INSERT INTO t VALUES ('k', 'b', 'o');"
        "CREATE TABLE newer (id text); CREATE TABLE full_one (id text); INSERT INTO full_one VALUES ('k'), ('l');"
        "CREATE TABLE _prisma_migrations (id integer); INSERT INTO _prisma_migrations VALUES (7);"
        "CREATE TABLE rekeyed (v integer, own serial PRIMARY KEY); INSERT INTO rekeyed VALUES (1), (3);",
    )
    assert differences(sqlite_path, database_uri) == [
        "empty: table only in SQLite",
        "rekeyed(v=3): 0 in SQLite, 1 in PostgreSQL",
        "rekeyed(v=INTEGER 2): 1 in SQLite, 0 in PostgreSQL",
        "t.lost: column only in SQLite",
        "full_one: table only in PostgreSQL, with 2 rows",
    ]


def test_rows_are_read_from_the_table_not_from_an_index_that_lags_behind(sqlite_path: Path, database_uri: str) -> None:
    run_sqlite(
        sqlite_path,
        """CREATE TABLE t (a TEXT, b TEXT, lost VARCHAR(900)); CREATE INDEX x ON t (a, b); PRAGMA writable_schema = ON;
        CREATE TABLE hidden AS SELECT * FROM sqlite_master WHERE name = 'x';
        DELETE FROM sqlite_master WHERE name = 'x'""",
    )
    run_sqlite(
        sqlite_path,
        """INSERT INTO t VALUES ('a', 'b', 'c'); PRAGMA writable_schema = ON;
        INSERT INTO sqlite_master SELECT * FROM hidden; DELETE FROM sqlite_master WHERE name = 'hidden'""",
    )
    run_postgres(database_uri, "CREATE TABLE t (a text, b text); INSERT INTO t VALUES ('a', 'b')")
    assert differences(sqlite_path, database_uri) == ["t.lost: column only in SQLite"]


def test_another_schema_is_compared_and_long_lists_are_cut(sqlite_path: Path, database_uri: str) -> None:
    run_sqlite(sqlite_path, "CREATE TABLE t (id TEXT PRIMARY KEY); INSERT INTO t VALUES ('a'), ('b'), ('c')")
    run_postgres(database_uri, 'CREATE SCHEMA "Odd"; CREATE TABLE "Odd".t (id text PRIMARY KEY)')
    assert differences(sqlite_path, database_uri) == ["t: table only in SQLite"]
    assert differences(sqlite_path, database_uri, schema="Odd", limit=1) == [
        "t(id=TEXT 'a'): row only in SQLite",
        "and 2 more",
    ]


def test_without_a_verdict_it_raises(sqlite_path: Path, database_uri: str) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        differences(sqlite_path, database_uri)
    assert not sqlite_path.exists()
    run_sqlite(sqlite_path, "CREATE TABLE t (id TEXT PRIMARY KEY)")
    run_postgres(database_uri, "CREATE TABLE t (id uuid PRIMARY KEY)")
    with pytest.raises(KeyError, match="uuid"):
        differences(sqlite_path, database_uri)


def test_a_dump_holds_every_row_as_text_and_counts_the_bookkeeping(database_uri: str) -> None:
    assert dump(database_uri) == {}
    run_postgres(
        database_uri,
        """DO $$ BEGIN
            EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Tokyo''', current_database());
        END $$;
        CREATE TABLE "T" (id text, at timestamptz, v float8);
        INSERT INTO "T" VALUES ('b', '2025-10-10 02:00+02', '-0'), ('a', NULL, 0.1), ('a', NULL, NULL),
            ('', NULL, 1), (NULL, NULL, 1);
        CREATE SCHEMA odyssey_sync; CREATE TABLE odyssey_sync.run (id integer);
        INSERT INTO odyssey_sync.run VALUES (1), (2);
        CREATE SCHEMA other; CREATE TABLE other.t (id integer); INSERT INTO other.t VALUES (5)""",
    )
    assert dump(database_uri) == {
        "T": [
            (None, None, "1"),
            ("", None, "1"),
            ("a", None, None),
            ("a", None, "0.1"),
            ("b", "2025-10-10 00:00:00+00", "-0"),
        ],
        "odyssey_sync.run": [("2",)],
        "other.t": [("5",)],
    }


@pytest.mark.parametrize("name", ["oracle", "oracle_values", "oracle_catalog"])
def test_the_oracle_shares_no_code_with_the_engine(name: str) -> None:
    tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {module for module in imported if module.split(".")[0] not in sys.stdlib_module_names}
    assert foreign <= {
        "psycopg",
        "psycopg.rows",
        "odyssey_assets_tests.oracle_values",
        "odyssey_assets_tests.oracle_catalog",
    }
