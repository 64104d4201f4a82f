"""Sequences behind columns: found whatever made them, set beyond the rows, and never back."""

from collections.abc import Iterator

import pytest
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.target.connection import commit, connect
from odyssey_assets.target.sequences import OwnedSequence, owned_sequences, set_beyond_rows
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.statements import ask_postgres, run_postgres

MADE = """
CREATE TABLE "Serial" ("id" serial PRIMARY KEY, "name" text);
CREATE TABLE "Identity" ("No. 1" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "name" text);
CREATE TABLE "Empty" ("id" serial PRIMARY KEY);
CREATE TABLE "Text" ("id" text PRIMARY KEY);
CREATE SEQUENCE "free";
CREATE SCHEMA other;
CREATE TABLE other."Serial" ("id" serial);
INSERT INTO "Serial" ("id", "name") VALUES (3, 'a'), (41, 'b');
INSERT INTO "Identity" ("No. 1", "name") OVERRIDING SYSTEM VALUE VALUES (7, 'a');
"""
TABLES = ("Serial", "Identity", "Empty", "Text")


@pytest.fixture
def connection(every_database_uri: str) -> Iterator[Connection]:
    run_postgres(every_database_uri, MADE)
    with connect(parse_target_url(every_database_uri)) as opened:
        yield opened


def test_those_that_columns_own_are_found(connection: Connection) -> None:
    assert owned_sequences(connection, "public", TABLES) == (
        OwnedSequence("Empty", "id", 'public."Empty_id_seq"'),
        OwnedSequence("Identity", "No. 1", 'public."Identity_No. 1_seq"'),
        OwnedSequence("Serial", "id", 'public."Serial_id_seq"'),
    )
    assert owned_sequences(connection, "public", ["Text"]) == ()
    assert [each.sequence for each in owned_sequences(connection, "other", TABLES)] == ['other."Serial_id_seq"']


def test_the_next_value_is_beyond_the_rows(connection: Connection, every_database_uri: str) -> None:
    values = {
        each.table: set_beyond_rows(connection, "public", each)
        for each in owned_sequences(connection, "public", TABLES)
    }
    commit(connection)
    assert values == {"Empty": None, "Identity": 7, "Serial": 41}
    assert ask_postgres(every_database_uri, """INSERT INTO "Serial" ("name") VALUES ('c') RETURNING "id" """) == [(42,)]
    assert ask_postgres(every_database_uri, """INSERT INTO "Identity" ("name") VALUES ('b') RETURNING 1""") == [(1,)]
    assert ask_postgres(every_database_uri, """INSERT INTO "Empty" DEFAULT VALUES RETURNING "id" """) == [(1,)]


def test_one_that_is_ahead_stays_there(connection: Connection, every_database_uri: str) -> None:
    run_postgres(every_database_uri, """SELECT setval('"Serial_id_seq"', 1000)""")
    (serial,) = (each for each in owned_sequences(connection, "public", ["Serial"]))
    assert set_beyond_rows(connection, "public", serial) == 1000
    commit(connection)
    assert ask_postgres(every_database_uri, """INSERT INTO "Serial" ("name") VALUES ('c') RETURNING "id" """) == [
        (1001,)
    ]
