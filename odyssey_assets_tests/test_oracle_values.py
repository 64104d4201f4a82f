"""The oracle's judgement of values: each rule reports a planted difference exactly and is silent about an equal twin.

Belongs here: one value against another, per PostgreSQL type. Does not belong here: rows and tables (``test_oracle``).
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.oracle_values import json_meaning

Pair = tuple[object, str | None]
TENTH_OCTOBER = 1_760_086_800_123
"""2025-10-10 09:00:00.123 UTC in milliseconds."""
ASTRONAUT = "\ufeff\u202e\U0001f469\u200d\U0001f680"


def compared(path: Path, uri: str, sqlite_type: str, postgres_type: str, pairs: list[Pair]) -> list[str]:
    """The reports about one column that holds these values, a row each with ids 0, 1, 2 and so on."""
    with closing(sqlite3.connect(path)) as source, source:
        source.execute(f'CREATE TABLE "T" (id INTEGER PRIMARY KEY, v {sqlite_type})')
        source.executemany('INSERT INTO "T" VALUES (?, ?)', [(at, here) for at, (here, _) in enumerate(pairs)])
    with psycopg.connect(uri) as target:
        target.execute("CREATE TYPE \"Role\" AS ENUM ('USER', 'ADMIN')")
        target.execute(f'CREATE TABLE "T" (v {postgres_type}, id integer PRIMARY KEY)')
        target.cursor().executemany(
            'INSERT INTO "T" (id, v) VALUES (%s, %s)', [(i, v) for i, (_, v) in enumerate(pairs)]
        )
    return differences(path, uri)


EQUAL: dict[str, tuple[str, str, list[Pair]]] = {
    "timestamp": ("DATETIME", "timestamp(3)", [
        (TENTH_OCTOBER, "2025-10-10 09:00:00.123"),
        ("2025-10-10T09:00:00.123+00:00", "2025-10-10 09:00:00.123"),
        ("2025-10-10T09:00:00.123Z", "2025-10-10 09:00:00.123"),
        ("2025-10-10 09:00:00", "2025-10-10 09:00:00"),
        ("2025-10-10T14:30:00.5+05:30", "2025-10-10 09:00:00.5"),
        ("2025-10-10 00:00:00-0900", "2025-10-10 09:00:00"),
        ("2025-10-10 11:00:00+02", "2025-10-10 09:00:00"),
        ("2025-10-10 09:00:00.123999999", "2025-10-10 09:00:00.123"),
        ("1969-12-31 23:59:59.9999", "1969-12-31 23:59:59.999"),
        (-1, "1969-12-31 23:59:59.999"),
        ("0001-01-01 00:00:00", "0001-01-01 00:00:00"),
        ("9999-12-31T23:59:59.999-01:00", "10000-01-01 00:59:59.999"),
        ("+012025-10-10T09:00:00Z", "12025-10-10 09:00:00"),
        ("12025-10-10 09:00:00", "12025-10-10 09:00:00"),
        (9_000_000_000_000_000, "287168-08-24 16:00:00"),
        ("0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC"),
        ("-000043-03-15T12:00:00Z", "0044-03-15 12:00:00 BC"),
        ("0001-02-29 00:00:00 BC", "0001-02-29 00:00:00 BC"),
        ("2000-02-29 00:00:00", "2000-02-29 00:00:00"),
        (None, None),
    ]),
    "timestamptz": ("DATETIME", "timestamptz(3)", [
        (TENTH_OCTOBER, "2025-10-10 09:00:00.123+00"),
        ("2025-10-10T09:00:00.123+02:00", "2025-10-10 07:00:00.123+00"),
        ("2025-10-10 09:00:00", "2025-10-10 11:00:00+02"),
        ("0044-03-15 12:00:00+00 BC", "0044-03-15 12:00:00+00 BC"),
    ]),
    "boolean": ("BOOLEAN", "boolean", [(0, "false"), (1, "true"), (None, None)]),
    "double": ("", "double precision", [
        (0.0, "0"), (-0.0, "-0"), (0.1, "0.1"), (5e-324, "5e-324"), (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"), (1.7976931348623157e308, "1.7976931348623157e308"), (3, "3"), (None, None),
    ]),
    "integer": ("INTEGER", "integer", [(0, "0"), (-(2**31), "-2147483648"), (None, None)]),
    "bigint": ("INTEGER", "bigint", [(2**63 - 1, "9223372036854775807"), (-(2**63), "-9223372036854775808")]),
    "text": ("TEXT", "text", [
        ("", ""), ("a ", "a "), ("cafe\u0301", "cafe\u0301"), (ASTRONAUT, ASTRONAUT),
        ("\\N\\.\t\r\n\x01", "\\N\\.\t\r\n\x01"), ("x" * 100_000, "x" * 100_000), (None, None),
    ]),
    "varchar": ("TEXT", "varchar(5)", [("12345", "12345")]),
    "enum": ("TEXT", '"Role"', [("USER", "USER"), (None, None)]),
    "json": ("TEXT", "json", [('{"b": 1,  "a": 1.0}', '{"b": 1,  "a": 1.0}')]),
    "jsonb": ("TEXT", "jsonb", [
        ('{"b": 1, "a": [true, null]}', '{"a": [true, null], "b": 1}'),
        ('{"a": 1, "a": 2}', '{"a": 2}'),
        ("[1.0, 1e2, -0, 1e400]", f"[1, 100, 0, 1{'0' * 400}]"),
        (r'"\u00e9\ud83d\ude80"', '"\u00e9\U0001f680"'),
        ("null", "null"), (None, None),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("rule", EQUAL)
def test_equal_values_are_silent(tmp_path: Path, database_uri: str, rule: str) -> None:
    sqlite_type, postgres_type, pairs = EQUAL[rule]
    assert compared(tmp_path / "odyssey.db", database_uri, sqlite_type, postgres_type, pairs) == []


TEXT_MS = "TEXT '2025-10-10 09:00:00.123' = 1760086800123 ms"
DIFFERENT: dict[str, tuple[str, str, list[tuple[object, str | None, str]]]] = {
    "timestamp": ("DATETIME", "timestamp(6)", [
        (TENTH_OCTOBER, "2025-10-10 09:00:00.124", "INTEGER 1760086800123, PostgreSQL 1760086800124 ms"),
        (TENTH_OCTOBER, "2025-10-10 09:00:00.123001", "INTEGER 1760086800123, PostgreSQL 1760086800123.001 ms"),
        ("2025-10-10 09:00:00.123", "2025-10-10 09:00:00.122", f"{TEXT_MS}, PostgreSQL 1760086800122 ms"),
        ("2025-10-10 09:00:00.123", "2025-10-10 11:00:00.123", f"{TEXT_MS}, PostgreSQL 1760094000123 ms"),
        ("2025-10-10 09:00:00.1239", "2025-10-10 09:00:00.124",
         "TEXT '2025-10-10 09:00:00.1239' = 1760086800123 ms, PostgreSQL 1760086800124 ms"),
        ("0044-03-15 12:00:00 BC", "0044-03-15 12:00:00",
         "TEXT '0044-03-15 12:00:00 BC' = -63517780800000 ms, PostgreSQL -60772248000000 ms"),
        (0, "infinity", "INTEGER 0, PostgreSQL Infinity ms"),
        (None, "1970-01-01", "NULL, PostgreSQL 0 ms"),
        (0, None, "INTEGER 0, PostgreSQL NULL"),
        (0.5, "1970-01-01", "REAL 0.5 [3fe0000000000000], PostgreSQL 0 ms"),
        ("", "1970-01-01", "TEXT '', PostgreSQL 0 ms"),
        ("2025-02-29 00:00:00", "2025-03-01", "TEXT '2025-02-29 00:00:00', PostgreSQL 1740787200000 ms"),
        ("1970-01-01 24:00:00", "1970-01-02", "TEXT '1970-01-01 24:00:00', PostgreSQL 86400000 ms"),
        ("1970-01-01 00:00:60", "1970-01-01 00:01", "TEXT '1970-01-01 00:00:60', PostgreSQL 60000 ms"),
        ("1970-01-01 00:00:00.", "1970-01-01", "TEXT '1970-01-01 00:00:00.', PostgreSQL 0 ms"),
        ("1970-01-01 00:00:00\n", "1970-01-01", "TEXT '1970-01-01 00:00:00\\n', PostgreSQL 0 ms"),
        ("1970-01-01 00:00:00.0000000000", "1970-01-01", "TEXT '1970-01-01 00:00:00.0000000000', PostgreSQL 0 ms"),
        ("0000-01-01 00:00:00 BC", "0001-01-01 BC", "TEXT '0000-01-01 00:00:00 BC', PostgreSQL -62167219200000 ms"),
        ("1970-01-01 00:00:00+00:60", "1970-01-01", "TEXT '1970-01-01 00:00:00+00:60', PostgreSQL 0 ms"),
    ]),
    "timestamptz": ("DATETIME", "timestamptz(3)", [
        ("2025-10-10 09:00:00.123", "2025-10-10 09:00:00.123+02", f"{TEXT_MS}, PostgreSQL 1760079600123 ms"),
    ]),
    "boolean": ("BOOLEAN", "boolean", [
        (1, "false", "INTEGER 1, PostgreSQL false"), (2, "true", "INTEGER 2, PostgreSQL true"),
        ("true", "true", "TEXT 'true', PostgreSQL true"), ("", "false", "TEXT '', PostgreSQL false"),
        (None, "false", "NULL, PostgreSQL false"), (0, None, "INTEGER 0, PostgreSQL NULL"),
    ]),
    "double": ("", "double precision", [
        (0.0, "-0", "REAL 0.0 [0000000000000000], PostgreSQL -0.0 [8000000000000000]"),
        (-0.0, "0", "REAL -0.0 [8000000000000000], PostgreSQL 0.0 [0000000000000000]"),
        (0.1, "0.10000000000000002",
         "REAL 0.1 [3fb999999999999a], PostgreSQL 0.10000000000000002 [3fb999999999999b]"),
        (None, "NaN", "NULL, PostgreSQL nan [7ff8000000000000]"),
        (2**53 + 1, "9007199254740992", "INTEGER 9007199254740993, PostgreSQL 9007199254740992.0 [4340000000000000]"),
        ("1.5", "1.5", "TEXT '1.5', PostgreSQL 1.5 [3ff8000000000000]"),
    ]),
    "integer": ("INTEGER", "integer", [
        (1, "2", "INTEGER 1, PostgreSQL 2"), (2**32 + 1, "1", "INTEGER 4294967297, PostgreSQL 1"),
        (None, "0", "NULL, PostgreSQL 0"), (1.5, "1", "REAL 1.5 [3ff8000000000000], PostgreSQL 1"),
        ("x", "0", "TEXT 'x', PostgreSQL 0"),
    ]),
    "bigint": ("INTEGER", "bigint", [
        (2**53 + 1, "9007199254740992", "INTEGER 9007199254740993, PostgreSQL 9007199254740992"),
    ]),
    "text": ("TEXT", "text", [
        (None, "", "NULL, PostgreSQL ''"), ("", None, "TEXT '', PostgreSQL NULL"),
        ("a", "b", "TEXT 'a', PostgreSQL 'b'"),
        ("a ", "a", "TEXT 'a ', PostgreSQL 'a'"), ("\r\n", "\n", "TEXT '\\r\\n', PostgreSQL '\\n'"),
        ("caf\u00e9", "cafe\u0301", "TEXT 'caf\\xe9', PostgreSQL 'cafe\\u0301'"),
        (b"a", "a", "BLOB b'a', PostgreSQL 'a'"), ("a\0b", "a", "TEXT 'a\\x00b', PostgreSQL 'a'"),
        ("x" * 999 + "a", "x" * 999 + "b", f"'{'x' * 20}a' (from byte 979 of 1000, first difference at byte 999), "
         f"PostgreSQL '{'x' * 20}b' (from byte 979 of 1000, first difference at byte 999)"),
    ]),
    "enum": ("TEXT", '"Role"', [
        ("USER", "ADMIN", "TEXT 'USER', PostgreSQL 'ADMIN'"),
        ("user", "USER", "TEXT 'user', PostgreSQL 'USER'"),
    ]),
    "json": ("TEXT", "json", [("[1, 2]", "[1,2]", "TEXT '[1, 2]', PostgreSQL '[1,2]'")]),
    "jsonb": ("TEXT", "jsonb", [
        ("[1, 2]", "[2, 1]", "TEXT '[1, 2]', PostgreSQL '[2, 1]'"),
        ('{"a": 1, "a": 2}', '{"a": 1}', """TEXT '{"a": 1, "a": 2}', PostgreSQL '{"a": 1}'"""),
        ("[0.1]", "[0.10000000000000000001]", "TEXT '[0.1]', PostgreSQL '[0.10000000000000000001]'"),
        ("true", "1", "TEXT 'true', PostgreSQL '1'"), ('"1"', "1", "TEXT '\"1\"', PostgreSQL '1'"),
        ("null", None, "TEXT 'null', PostgreSQL NULL"), ("{}", "[]", "TEXT '{}', PostgreSQL '[]'"),
        ("[NaN]", "[null]", "TEXT '[NaN]', PostgreSQL '[null]'"), ("", "null", "TEXT '', PostgreSQL 'null'"),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("rule", DIFFERENT)
def test_each_planted_difference_is_reported_exactly(tmp_path: Path, database_uri: str, rule: str) -> None:
    sqlite_type, postgres_type, planted = DIFFERENT[rule]
    pairs = [(here, there) for here, there, _ in planted]
    expected = [f"T(id=INTEGER {at}).v: SQLite {report}" for at, (_, _, report) in enumerate(planted)]
    assert compared(tmp_path / "odyssey.db", database_uri, sqlite_type, postgres_type, pairs) == expected


@pytest.mark.parametrize("text", ["", "NaN", "[-Infinity]", "[1e9999999999999999999]", "{'a': 1}", "\ufeff1", "[1,]"])
def test_what_is_not_json_has_no_meaning(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        json_meaning(text)


def test_text_that_is_not_utf8_differs(tmp_path: Path, database_uri: str) -> None:
    path = tmp_path / "odyssey.db"
    with closing(sqlite3.connect(path)) as source, source:
        source.execute("CREATE TABLE t AS SELECT 1 AS id, CAST(x'61ff' AS TEXT) AS v")
    with psycopg.connect(database_uri) as target:
        target.execute("CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a\ufffd')")
    assert differences(path, database_uri) == [r"t(id=INTEGER 1).v: SQLite TEXT 'a\\xff', PostgreSQL 'a\ufffd'"]
