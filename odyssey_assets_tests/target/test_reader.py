"""Reading a table: canonical types, the order of the heap, and values nobody should have put there."""

from datetime import datetime

import pyarrow as pa
import pytest

from odyssey_assets.errors import OdysseyError
from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import Kind
from odyssey_assets.target.connection import connect, query
from odyssey_assets.target.digests import table_digest
from odyssey_assets.target.reader import TargetRows, keep_heap_order, read_table, select_sql
from odyssey_assets.target.url import TargetUrl
from odyssey_assets_tests.statements import run_postgres

NUMBERS = CarriedTable("t", (CarriedColumn("n", Kind.INTEGER, "integer"),), ("n",))


def read(target: TargetUrl, table: CarriedTable) -> list[dict[str, object]]:
    with connect(target, read_only=True) as connection:
        keep_heap_order(connection)
        rows: list[dict[str, object]] = pa.Table.from_batches(read_table(connection, "public", table)).to_pylist()
        return rows


def test_columns_are_selected_by_name_enums_and_documents_as_text() -> None:
    table = CarriedTable(
        'T"x',
        (
            CarriedColumn("id", Kind.TEXT, "text"),
            CarriedColumn("role", Kind.ENUM, "Role", labels=("a",)),
            CarriedColumn("doc", Kind.JSON, "jsonb"),
            CarriedColumn("plain", Kind.JSON, "text"),
        ),
        ("id",),
    )
    assert select_sql("my schema", table) == (
        'SELECT "id", "role"::text AS "role", "doc"::text AS "doc", "plain" FROM "my schema"."T""x" live'
    )


def test_a_loaded_table_comes_in_the_order_it_was_written(target: TargetUrl) -> None:
    run_postgres(target.uri, """CREATE TABLE t (n int PRIMARY KEY, filler text);
        INSERT INTO t SELECT (n * 7919) % 200003, repeat('x', 40) FROM generate_series(1, 200000) AS n""")  # fmt: skip
    expected = [n * 7919 % 200003 for n in range(1, 200001)]
    assert [row["n"] for row in read(target, NUMBERS)] == expected


def test_the_order_is_asked_for_in_this_transaction_alone(target: TargetUrl) -> None:
    settings = ("synchronize_seqscans", "max_parallel_workers_per_gather")
    shown = "SELECT " + ", ".join(f"current_setting('{name}') AS {name}" for name in settings)
    with connect(target) as connection:
        before = query(connection, shown)
        keep_heap_order(connection)
        assert query(connection, shown) == [{settings[0]: "off", settings[1]: "0"}]
        connection.commit()
        assert query(connection, shown) == before


def test_a_finer_moment_than_milliseconds_is_seen(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (m timestamp); INSERT INTO t VALUES ('2025-10-10 09:00:00.123456')")
    table = CarriedTable("t", (CarriedColumn("m", Kind.MOMENT, "timestamp without time zone"),), ("m",))
    assert read(target, table) == [{"m": datetime(2025, 10, 10, 9, 0, 0, 123456)}]


def test_a_moment_with_a_zone_is_read_in_utc(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (m timestamptz); INSERT INTO t VALUES ('2025-10-10 09:00:00+05:45')")
    table = CarriedTable("t", (CarriedColumn("m", Kind.MOMENT, "timestamp with time zone"),), ("m",))
    assert read(target, table) == [{"m": datetime(2025, 10, 10, 3, 15)}]


@pytest.mark.parametrize("value", ["infinity", "-infinity", "294276-12-31 23:59:59"])
def test_a_moment_beyond_every_carried_one_is_never_read_as_another(target: TargetUrl, value: str) -> None:
    run_postgres(target.uri, f"CREATE TABLE t (m timestamp); INSERT INTO t VALUES ('{value}')")
    table = CarriedTable("t", (CarriedColumn("m", Kind.MOMENT, "timestamp without time zone"),), ("m",))
    with connect(target, read_only=True) as connection:
        try:
            (batch,) = read_table(connection, "public", table)
        except OdysseyError:
            return
        (microseconds,) = batch.column(0).view(pa.int64()).to_pylist()
    assert microseconds > 9_223_372_036_854_775_000 or microseconds < -210_866_803_200_000_000


@pytest.mark.parametrize("rows", [0, 1, 2, 50_000])
def test_the_digest_on_the_way_is_the_one_of_the_table(target: TargetUrl, rows: int) -> None:
    """Of all columns, also one that is not carried; the sum of so many hashes is far beyond 64 bits."""
    run_postgres(target.uri, f"""CREATE TABLE t (n int, live text, other bytea);
        INSERT INTO t SELECT n, repeat('x', n % 7), n::text::bytea FROM generate_series(1, {rows}) AS n""")  # fmt: skip
    table = CarriedTable("t", (*NUMBERS.columns, CarriedColumn("live", Kind.TEXT, "text")), ("n",))
    with connect(target, read_only=True) as connection:
        plain = list(read_table(connection, "public", table))
        passing = TargetRows(connection, "public", table, with_digest=True)
        assert passing.digest() is None
        assert list(passing) == plain
        assert passing.digest() == table_digest(connection, "public", "t")
        assert passing.digest().rows == rows  # type: ignore[union-attr]


def test_a_digest_nobody_asked_for_is_not_made(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    with connect(target, read_only=True) as connection:
        passing = TargetRows(connection, "public", NUMBERS, with_digest=False)
        assert [batch.to_pylist() for batch in passing] == [[{"n": 1}]]
        assert passing.digest() is None
