"""What a file has is read from the file: tables, columns, keys, Prisma's migrations, and the version they make."""

from pathlib import Path

import pytest

from odyssey_assets.errors import EXIT_INTEGRITY, EXIT_USAGE, ConfigurationError, IntegrityError
from odyssey_assets.model.schema import ALL_VERSIONS, schema_of_version
from odyssey_assets.sample.writer import BOOKKEEPING_SQL
from odyssey_assets.source.ddl import create_schema_sql, sqlite_type
from odyssey_assets.source.inspection import SourceColumn, inspect_source
from odyssey_assets_tests.source.conftest import Files

USER = 'CREATE TABLE "User" (id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL, bio TEXT)'


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_each_version_is_recognised_with_all_it_has(files: Files, version: int) -> None:
    schema = schema_of_version(version)
    catalog = inspect_source(files.with_statements(*create_schema_sql(schema), BOOKKEEPING_SQL))
    assert (catalog.version, catalog.migrations, catalog.unfinished_migrations) == (version, (), ())
    assert catalog.tables.keys() == schema.tables.keys()
    for name, table in schema.tables.items():
        found = catalog.tables[name]
        assert found.columns == tuple(
            SourceColumn(column.name, sqlite_type(column), not column.nullable) for column in table.columns
        )
        assert found.column_names == tuple(table.columns.keys())
        key = tuple(table.primary_key.columns.keys())
        assert found.primary_key == (key if len(key) == 1 else ())
        assert found.referring_columns == {key.parent.name for key in table.foreign_keys}
        assert found.has_rowid


def test_a_file_between_two_versions_is_the_nearest(files: Files) -> None:
    path = files.with_statements(*create_schema_sql(schema_of_version(1)), 'CREATE TABLE "Mine" (id TEXT)')
    catalog = inspect_source(path)
    assert catalog.version == 1
    assert "Mine" in catalog.tables


def test_columns_come_in_the_order_of_the_file(files: Files) -> None:
    path = files.with_statements(USER, 'ALTER TABLE "User" ADD COLUMN "z first" REAL', 'ALTER TABLE "User" ADD a')
    assert inspect_source(path).tables["User"].columns == (
        SourceColumn("id", "TEXT", True),
        SourceColumn("email", "TEXT", True),
        SourceColumn("bio", "TEXT", False),
        SourceColumn("z first", "REAL", False),
        SourceColumn("a", "", False),
    )


def test_keys_come_in_their_own_order(files: Files) -> None:
    path = files.with_statements(USER, "CREATE TABLE K (a TEXT, b TEXT, c TEXT, PRIMARY KEY (c, a))")
    assert inspect_source(path).tables["K"].primary_key == ("c", "a")


def test_a_table_without_rowid_is_told(files: Files) -> None:
    path = files.with_statements(USER, "CREATE TABLE W (a TEXT PRIMARY KEY) WITHOUT ROWID")
    assert {name: table.has_rowid for name, table in inspect_source(path).tables.items()} == {"User": True, "W": False}


def test_generated_columns_are_columns(files: Files) -> None:
    path = files.with_statements(
        'CREATE TABLE "User" (id TEXT, v TEXT AS (id || 1) VIRTUAL, s TEXT AS (id || 2) STORED)'
    )
    assert inspect_source(path).tables["User"].column_names == ("id", "v", "s")


def test_names_that_need_quotes_are_read(files: Files) -> None:
    path = files.with_statements(USER, 'CREATE TABLE "it\'s a ""table""" ("a ""b""" TEXT)')
    assert inspect_source(path).tables['it\'s a "table"'].column_names == ('a "b"',)


def test_only_application_tables_count(files: Files) -> None:
    path = files.with_statements(
        USER,
        BOOKKEEPING_SQL,
        'CREATE VIEW "Vote" AS SELECT 1 AS id',
        'CREATE TABLE "Counter" (id INTEGER PRIMARY KEY AUTOINCREMENT)',
        'CREATE TABLE "sqliteX" (id TEXT)',
        "ANALYZE",
    )
    assert sorted(inspect_source(path).tables) == ["Counter", "User", "sqliteX"]


def test_migrations_are_told_apart_by_how_they_ended(files: Files) -> None:
    path = files.with_statements(
        USER,
        BOOKKEEPING_SQL,
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, rolled_back_at) VALUES"
        " ('3', '', '3_broken_off', 30, NULL, NULL),"
        " ('1', '', '1_init', 10, 11, NULL),"
        " ('2', '', '2_rolled_back', 20, NULL, 25),"
        " ('4', '', '2_again', 26, 27, NULL)",
    )
    catalog = inspect_source(path)
    assert catalog.migrations == ("1_init", "2_again")
    assert catalog.unfinished_migrations == ("3_broken_off",)


@pytest.mark.parametrize("statement", ["CREATE TABLE notes (id)", "PRAGMA user_version = 1", BOOKKEEPING_SQL])
def test_a_file_of_another_application_is_refused(files: Files, statement: str) -> None:
    path = files.with_statements(statement)
    with pytest.raises(ConfigurationError, match="none of Odyssey's tables") as refusal:
        inspect_source(path)
    assert refusal.value.exit_status == EXIT_USAGE


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odyssey.db"
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 8176)
    with pytest.raises(IntegrityError, match="damaged") as refusal:
        inspect_source(path)
    assert refusal.value.exit_status == EXIT_INTEGRITY
