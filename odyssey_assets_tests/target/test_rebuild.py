"""Keys and indexes taken off and put back: nothing is left different, by name, definition or state."""

from dataclasses import replace
from typing import Any

import pytest
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import IntegrityError
from odyssey_assets.target.catalog import TargetCatalog, read_catalog
from odyssey_assets.target.connection import connect, execute, query
from odyssey_assets.target.rebuild import TakenOff, put_back, require_same, take_off
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres

EVERYTHING_SQL = """
WITH kept AS (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'other'))
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated::text,
       concat(condeferrable, condeferred)
FROM pg_constraint WHERE connamespace IN (SELECT oid FROM kept)
UNION ALL
SELECT 'index', indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid::text,
       concat(indisunique, indisprimary, indimmediate)
FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace IN (SELECT oid FROM kept)
UNION ALL
SELECT 'column', attrelid::regclass::text, attname, attnum::text, attnotnull::text, atttypid::regtype::text
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
WHERE attnum > 0 AND relkind = 'r' AND relnamespace IN (SELECT oid FROM kept)
ORDER BY 1, 2, 3"""
ODD_SQL = """
CREATE INDEX "Odd partial" ON "Feedback" ("title") WHERE "title" <> 'x''y';
CREATE INDEX "Odd expression" ON "Feedback" (lower("title") DESC NULLS LAST, "createdAt");
CREATE UNIQUE INDEX "Odd include" ON "Feedback" ("id") INCLUDE ("title") WITH (fillfactor = 60);
CREATE INDEX "Odd hash" ON "Feedback" USING hash ("title");
ALTER TABLE "Feedback" ADD CONSTRAINT "Odd unique" UNIQUE ("id", "authorId") DEFERRABLE INITIALLY DEFERRED;
CREATE UNIQUE INDEX "Odd attached" ON "User" ("id", "email");
ALTER TABLE "User" ADD CONSTRAINT "Odd attached" UNIQUE USING INDEX "Odd attached";
CREATE TABLE "Theirs" ("feedbackId" text, "userId" text, "both" text,
    CONSTRAINT "Theirs f" FOREIGN KEY ("feedbackId") REFERENCES "Feedback" ("id") ON DELETE SET NULL);
ALTER TABLE "Theirs" ADD CONSTRAINT "Theirs u" FOREIGN KEY ("userId") REFERENCES "User" ON DELETE CASCADE NOT VALID;
ALTER TABLE "Theirs" ADD CONSTRAINT "Theirs d" FOREIGN KEY ("both") REFERENCES "User" DEFERRABLE INITIALLY DEFERRED;
"""


def catalog_of(target: TargetUrl) -> TargetCatalog:
    with connect(target, read_only=True) as connection:
        return read_catalog(connection, "public")


def everything(uri: str) -> list[tuple[Any, ...]]:
    return ask_postgres(uri, EVERYTHING_SQL)


def rebuilt(target: TargetUrl, tables: frozenset[str]) -> tuple[TakenOff, TargetCatalog, TargetCatalog]:
    """What was taken off, the catalog in between and the one at the end; committed."""
    with connect(target) as connection:
        before = read_catalog(connection, "public")
        taken = take_off(connection, before, tables)
        between = read_catalog(connection, "public")
        put_back(connection, before, taken, lambda _: None)
        require_same(before, read_catalog(connection, "public"))
        connection.commit()
    return taken, before, between


def test_everything_of_the_newest_schema_comes_back(every_database_uri: str) -> None:
    run_postgres(every_database_uri, prisma_sql(5) + ";" + ODD_SQL)
    target = parse_target_url(every_database_uri)
    before = everything(target.uri)
    _, catalog, between = rebuilt(target, frozenset(catalog_of(target).tables))
    assert all(not table.indexes and not table.foreign_keys for table in between.tables.values())
    assert everything(target.uri) == before
    assert sum(len(table.foreign_keys) for table in catalog.tables.values()) == 40


def test_of_other_tables_only_the_foreign_keys_to_the_named_ones_go(target: TargetUrl) -> None:
    run_postgres(target.uri, prisma_sql(5) + ";" + ODD_SQL)
    before = everything(target.uri)
    taken, catalog, between = rebuilt(target, frozenset({"Feedback"}))
    gone = {(key.table, key.name) for key in taken.foreign_keys}
    assert {("Theirs", "Theirs f"), ("Feedback", "Feedback_duplicateOfId_fkey"), ("Vote", "Vote_feedbackId_fkey"),
            ("Feedback", "Feedback_authorId_fkey")} <= gone  # fmt: skip
    assert ("Theirs", "Theirs u") not in gone
    assert {table for table, _ in taken.indexes} == {"Feedback"}
    assert between.tables["Vote"].indexes == catalog.tables["Vote"].indexes
    assert everything(target.uri) == before


def test_nothing_named_is_nothing_touched(target: TargetUrl) -> None:
    run_postgres(target.uri, prisma_sql(1))
    taken, before, between = rebuilt(target, frozenset())
    assert taken == TakenOff((), ())
    assert between == before


def test_another_schema_than_public_comes_back(target: TargetUrl) -> None:
    run_postgres(target.uri, prisma_sql(1, schema="other") + ";" + prisma_sql(1))
    before = everything(target.uri)
    with connect(target) as connection:
        catalog = read_catalog(connection, "other")
        taken = take_off(connection, catalog, frozenset(catalog.tables))
        between = query(
            connection, "SELECT count(*) AS n FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        )
        put_back(connection, catalog, taken, lambda _: None)
        connection.commit()
    assert everything(target.uri) == before
    assert between[0]["n"] == sum(row[0] == "constraint" for row in before) / 2


def test_progress_is_told_by_table(target: TargetUrl) -> None:
    run_postgres(target.uri, prisma_sql(1))
    told: list[str] = []
    with connect(target) as connection:
        catalog = read_catalog(connection, "public")
        put_back(connection, catalog, take_off(connection, catalog, frozenset({"Vote"})), told.append)
    table = catalog.tables["Vote"]
    assert told == ["Vote"] * (len(table.indexes) + len(table.foreign_keys))


CHANGES = {
    "index gone": 'DROP INDEX "Vote_userId_idx"',
    "index new": 'CREATE INDEX "new" ON "Vote" ("weight")',
    "index renamed": 'ALTER INDEX "Vote_userId_idx" RENAME TO "new"',
    "key gone": 'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_pkey"',
    "foreign key gone": 'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey"',
    "other action": 'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey", ADD CONSTRAINT "Vote_userId_fkey" '
    'FOREIGN KEY ("userId") REFERENCES "User" ON DELETE RESTRICT ON UPDATE CASCADE',
    "not valid": 'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey", ADD CONSTRAINT "Vote_userId_fkey" '
    'FOREIGN KEY ("userId") REFERENCES "User" ON DELETE CASCADE ON UPDATE CASCADE NOT VALID',
    "table gone": 'DROP TABLE "Vote"',
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_between_is_caught(lasting_schema: TargetUrl, change: str) -> None:
    with connect(lasting_schema) as connection:
        before = read_catalog(connection, "public")
        execute(connection, CHANGES[change])
        after = read_catalog(connection, "public")
    with pytest.raises(IntegrityError, match="keys and indexes of Vote are not what they were") as raised:
        require_same(before, after)
    assert raised.value.table == "Vote"


@pytest.fixture(scope="module")
def lasting_schema(lasting_target: TargetUrl) -> TargetUrl:
    run_postgres(lasting_target.uri, prisma_sql(5))
    return lasting_target


def test_equal_catalogs_are_let_through(lasting_schema: TargetUrl) -> None:
    catalog = catalog_of(lasting_schema)
    require_same(catalog, replace(catalog))


def test_a_key_that_rows_break_cannot_come_back(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (a int CONSTRAINT f REFERENCES p)")
    before = everything(target.uri)
    with pytest.raises(IntegrityError, match='constraint "f"'), connect(target) as connection:
        break_and_put_back(connection)
    assert everything(target.uri) == before


def break_and_put_back(connection: Connection) -> None:
    catalog = read_catalog(connection, "public")
    taken = take_off(connection, catalog, frozenset({"c", "p"}))
    execute(connection, "INSERT INTO c VALUES (1)")
    put_back(connection, catalog, taken, lambda _: None)
