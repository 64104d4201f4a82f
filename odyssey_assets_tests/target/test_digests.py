"""PostgreSQL's digest moves with anything a table holds, and with nothing else."""

from collections.abc import Iterator

import psycopg
import pytest
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import IntegrityError
from odyssey_assets.target.connection import connect, execute
from odyssey_assets.target.digests import TargetDigest, chosen_rows_digest, table_digest
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.statements import run_postgres

SETUP = """
CREATE TYPE "Level" AS ENUM ('LOW', 'HIGH');
CREATE TYPE place AS (x float8, name text);
CREATE DOMAIN ratio AS float8;
"""

NOT_EVERYWHERE = {
    "citext": "CREATE EXTENSION citext",
    "loose": "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    "folded": "CREATE DOMAIN folded AS text COLLATE loose",
    "xml": "SELECT '<a/>'::xml",
}
"""Types that not every server was built with, and what fails where it was not."""

READ, WRITE = "makeaclitem(0, 10, 'SELECT', false)", "makeaclitem(0, 10, 'UPDATE', false)"
TWINS = {
    "a zero's sign": ("float8", "'0'", "'-0'"),
    "a zero's sign, single": ("real", "'0'", "'-0'"),
    "a zero's sign in an array": ("float8[]", "'{0}'", "'{-0}'"),
    "a zero's sign in a row": ("place", "'(0,a)'", "'(-0,a)'"),
    "a zero's sign under a domain": ("ratio", "'0'", "'-0'"),
    "a bit of a float": ("float8", "'0.1'", "'0.10000000000000002'"),
    "a denormal": ("float8", "'0'", "'5e-324'"),
    "a number's scale": ("numeric", "1.0", "1.00"),
    "a number's scale in a range": ("numrange", "'[1.0,2]'", "'[1.00,2]'"),
    "a number's scale inside jsonb": ("jsonb", """'{"a": 1.0}'""", """'{"a": 1.00}'"""),
    "days and months": ("interval", "'30 days'", "'1 month'"),
    "hours and days": ("interval", "'24 hours'", "'1 day'"),
    "an offset": ("timetz", "'12:00+00'", "'13:00+01'"),
    "blanks at the end": ("bpchar", "'a'", "'a '"),
    "case, of a collation without": ("text COLLATE loose", "'a'", "'A'"),
    "case, of a collation without, in varchar": ("varchar(9) COLLATE loose", "'a'", "'A'"),
    "case, under a domain": ("folded", "'a'", "'A'"),
    "case, of a type without": ("citext", "'a'", "'A'"),
    "case": ("text", "'a'", "'A'"),
    "two spellings of an accent": ("text", "U&'\\00e9'", "U&'e\\0301'"),
    "nothing and the empty string": ("text", "NULL", "''"),
    "a label": ('"Level"', "'LOW'", "'HIGH'"),
    "labels": ('"Level"[]', "'{LOW}'", "'{HIGH}'"),
    "a blank in json": ("json", "'{}'", "'{ }'"),
    "a point": ("point", "'(0,1)'", "'(-0,1)'"),
    "xml": ("xml", "'<a/>'", "'<a></a>'"),
    "rights, which nobody sends": ("aclitem", READ, WRITE),
    "rights in an array": ("aclitem[]", f"ARRAY[{READ}]", f"ARRAY[{WRITE}]"),
    "a millisecond": ("timestamp(3)", "'2025-01-01 00:00:00.001'", "'2025-01-01 00:00:00.002'"),
    "an instant": ("timestamptz(3)", "'2025-01-01 00:00:00+00'", "'2025-01-01 00:00:00+01'"),
    "a number": ("integer", "1", "2"),
    "a long number": ("bigint", "1", "4294967297"),
    "a truth": ("boolean", "true", "false"),
    "bytes": ("bytea", "'\\x00'", "'\\x0000'"),
    "a day": ("date", "'2025-01-01'", "'2025-01-02'"),
    "an identifier": ("uuid", "'00000000-0000-0000-0000-000000000000'", "'00000000-0000-0000-0000-000000000001'"),
    "a network": ("inet", "'10.0.0.1/8'", "'10.0.0.1/9'"),
}
"""Two values of one type that are not the same, though PostgreSQL takes many of them for equal."""


TABLE = 'CREATE TABLE t (id int PRIMARY KEY, a text, b float8, c "Level")'
FILL = """INSERT INTO t SELECT n, 'text ' || n, n / 7.0::float8, (ARRAY['LOW', 'HIGH'])[1 + n % 2]::"Level"
    FROM generate_series(1, 60) n"""


@pytest.fixture(scope="module")
def made(every_server: EmbeddedServer) -> Iterator[TargetUrl]:
    with fresh_database(every_server) as uri:
        run_postgres(uri, SETUP)
        yield parse_target_url(uri)


@pytest.fixture(scope="module")
def lacking(made: TargetUrl) -> frozenset[str]:
    found = set()
    for name, statement in NOT_EVERYWHERE.items():
        try:
            run_postgres(made.uri, statement)
        except psycopg.Error:
            found.add(name)
    return frozenset(found)


@pytest.fixture
def connection(made: TargetUrl) -> Iterator[Connection]:
    """In a transaction that is rolled back."""
    with connect(made) as opened:
        yield opened


def digest(connection: Connection, *statements: str) -> TargetDigest:
    """Of a table after some statements more."""
    for statement in statements:
        execute(connection, statement)
    return table_digest(connection, "public", "t")


@pytest.mark.parametrize("what", TWINS)
def test_it_sees(lacking: frozenset[str], connection: Connection, what: str) -> None:
    type_sql, one, other = TWINS[what]
    if missing := [name for name in lacking if name in type_sql]:
        pytest.skip(f"this server has no {missing[0]}")
    table = f"CREATE TABLE t (id int PRIMARY KEY, v {type_sql})"
    first = digest(connection, table, f"INSERT INTO t VALUES (1, {one})")
    changed = digest(connection, f"UPDATE t SET v = {other}")
    assert (changed.rows, changed.total != first.total) == (1, True)
    assert digest(connection, f"UPDATE t SET v = {one}") == first


@pytest.mark.parametrize("column", ["a", "b"])
def test_it_sees_cells_that_changed_places_between_rows(connection: Connection, column: str) -> None:
    first = digest(connection, TABLE, FILL)
    for row in range(1, 60):
        swap = f"""UPDATE t SET {column} = other.{column} FROM t other
                   WHERE t.id IN ({row}, {row + 1}) AND other.id = {2 * row + 1} - t.id"""
        assert digest(connection, swap) != first, row
        assert digest(connection, swap) == first


def test_it_sees_cells_that_changed_places_within_a_row_and_rows_twice_or_gone(connection: Connection) -> None:
    first = digest(connection, "CREATE TABLE t (a text, b text)", "INSERT INTO t VALUES ('x', 'y')")
    assert digest(connection, "UPDATE t SET a = b, b = a") != first
    twice = digest(connection, "UPDATE t SET a = b, b = a", "INSERT INTO t SELECT * FROM t")
    assert twice == TargetDigest(2, 2 * first.total)
    assert digest(connection, "TRUNCATE t") == TargetDigest(0, 0)


def test_neither_the_order_of_rows_nor_settings_nor_the_number_of_a_label_matters(connection: Connection) -> None:
    first = digest(connection, TABLE, FILL)
    assert digest(connection, "TRUNCATE t", f"{FILL} ORDER BY n DESC") == first
    assert digest(connection, "SET LOCAL extra_float_digits = -15", "SET LOCAL DateStyle = 'German'") == first
    renumbered = (
        """ALTER TYPE "Level" RENAME TO "Old" """,
        """CREATE TYPE "Level" AS ENUM ('LOW', 'HIGH')""",
        """ALTER TABLE t ALTER c TYPE "Level" USING c::text::"Level" """,
    )
    assert digest(connection, *renumbered) == first


def test_a_renamed_label_is_another_content(connection: Connection) -> None:
    first = digest(connection, TABLE, FILL)
    assert digest(connection, """ALTER TYPE "Level" RENAME VALUE 'LOW' TO 'LOWER'""") != first
    assert digest(connection, """ALTER TYPE "Level" RENAME VALUE 'LOWER' TO 'LOW'""") == first


def test_the_digest_of_chosen_rows_is_their_part_of_the_sum(connection: Connection) -> None:
    whole = digest(connection, TABLE, FILL)
    for name, rows in (("some", "id < 20"), ("more", "id BETWEEN 15 AND 29"), ("rest", "id >= 30")):
        execute(connection, f'CREATE TEMPORARY TABLE "{name}" AS SELECT id FROM t WHERE {rows}')
    some = chosen_rows_digest(connection, "public", "t", ("id",), ("some", "more"))
    rest = chosen_rows_digest(connection, "public", "t", ("id",), ("rest",))
    assert (some.rows, rest.rows, some.total + rest.total) == (29, 31, whole.total)


def test_a_table_made_in_the_same_transaction_is_seen_and_odd_names_are_kept(connection: Connection) -> None:
    assert digest(connection, "CREATE TABLE t (a int)") == TargetDigest(0, 0)
    execute(connection, 'CREATE TABLE "odd "" table" ("a "" b" float8, "live" int)')
    execute(connection, 'INSERT INTO "odd "" table" VALUES (0, 1)')
    assert table_digest(connection, "public", 'odd " table').rows == 1


def test_a_table_that_is_not_there_is_the_server_s_to_name(made: TargetUrl) -> None:
    with pytest.raises(IntegrityError, match=r'"public\.t" does not exist'), connect(made) as connection:
        table_digest(connection, "public", "t")
