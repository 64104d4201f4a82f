"""Differences of one table, staged and applied: every kind of cell arrives exactly, and no other row is written."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.compare.keyed import compare_by_key
from odyssey_assets.compare.rows import comparable
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.sync.staging import (
    RETIRED_PREFIX,
    StagedTable,
    delete_rows,
    insert_rows,
    replace_instead_of_update,
    restore_own_columns,
    retire_unique_values,
    stage_table,
    update_rows,
)
from odyssey_assets.target.catalog import read_catalog
from odyssey_assets.target.connection import connect, execute, query
from odyssey_assets.target.reader import read_table
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.compare.streams import KEYED, Row, batch, row
from odyssey_assets_tests.statements import run_postgres

EXTREME: list[dict[str, Any]] = [
    {"number": -(2**63), "weight": -0.0, "note": "", "flag": False, "moment": 9_223_371_331_199_999_000},
    {"number": 2**63 - 1, "weight": 5e-324, "note": "a\u0301 \U0001f469", "flag": None,
     "moment": -210_866_803_200_000_000},
    {"number": None, "weight": float("inf"), "note": None, "moment": None, "document": None, "raw": None},
    {"weight": float("nan"), "note": "x" * 3_000, "document": '{"a": [1, null]}', "raw": " {} "},
]  # fmt: skip


@pytest.fixture
def connection(database_uri: str) -> Iterator[Connection]:
    columns = ", ".join(f"{quoted(column.name)} {column.target_type}" for column in KEYED.columns)
    run_postgres(database_uri, f'CREATE TABLE "Thing" ({columns}, own text DEFAULT \'new\', PRIMARY KEY ("id"))')
    with connect(parse_target_url(database_uri)) as opened:
        yield opened


def staged_rows(connection: Connection, folder: Path, source: list[Row], target: list[Row]) -> StagedTable:
    """Put ``target`` into the table, and stage what makes ``source`` of it."""
    for rows in (target,):
        with connection.cursor() as cursor:
            cursor.adbc_ingest("Thing", pa.Table.from_batches([written(rows)]), mode="append")
    file = folder / "differences.parquet"
    sides = [iter([comparable(KEYED, batch(KEYED, rows))]) if rows else iter(()) for rows in (source, target)]
    compare_by_key(KEYED, *sides, folder, listed=0, keep=file)
    return stage_table(connection, "public", KEYED, read_catalog(connection, "public").tables["Thing"], file, 0)


def written(rows: list[Row]) -> pa.RecordBatch:
    """As the driver wants it: documents as JSON."""
    made = batch(KEYED, rows)
    at = made.schema.names.index("document")
    return made.set_column(at, "document", pa.ExtensionArray.from_storage(pa.json_(pa.string()), made.column(at)))


def cells(connection: Connection, table: CarriedTable = KEYED) -> list[tuple[Any, ...]]:
    """Every row as something that equals only itself, sorted by id."""
    rows: list[tuple[Any, ...]] = []
    for each in read_table(connection, "public", table):
        rows += plain(each)
    return sorted(rows)


def plain(each: pa.RecordBatch) -> list[tuple[Any, ...]]:
    columns = []
    for name, column in zip(each.schema.names, each.columns, strict=True):
        if name == "weight":
            columns.append([None if value is None else struct.pack(">d", value) for value in column.to_pylist()])
        else:
            columns.append(column.cast(pa.int64()).to_pylist() if name == "moment" else column.to_pylist())
    return [tuple(map(repr, values)) for values in zip(*columns, strict=True)]


def test_every_kind_of_cell_arrives_exactly(connection: Connection, tmp_path: Path) -> None:
    same, gone = row("same"), [row(f"gone {number}", **each) for number, each in enumerate(EXTREME)]
    new = [row(f"new {number}", **each) for number, each in enumerate(EXTREME)]
    changed = [row(f"changed {number}", **each) for number, each in enumerate(EXTREME)]
    before = [row(f"changed {number}", note="before") for number in range(len(EXTREME))]
    staged = staged_rows(connection, tmp_path, [same, *new, *changed], [*gone, same, *before])
    delete_rows(connection, staged)
    insert_rows(connection, staged)
    update_rows(connection, staged)
    assert cells(connection) == sorted(plain(batch(KEYED, [same, *new, *changed])))


def test_rows_that_do_not_differ_stay_where_they_are(connection: Connection, tmp_path: Path) -> None:
    source = [row("a", note="y"), row("b"), row("d")]
    staged = staged_rows(connection, tmp_path, source, [row("a"), row("b"), row("c")])
    place_of_b = """SELECT ctid::text AS place FROM "Thing" WHERE "id" = 'b'"""
    before = query(connection, place_of_b)
    delete_rows(connection, staged)
    insert_rows(connection, staged)
    update_rows(connection, staged)
    assert query(connection, place_of_b) == before
    (row_b,) = query(connection, """SELECT count(DISTINCT ctid) AS rows FROM "Thing" """)
    assert row_b["rows"] == 3


def test_values_are_retired_of_rows_that_go_or_change_and_of_no_others(connection: Connection, tmp_path: Path) -> None:
    source = [row("stays", note="1", number=5), row("changes", note="4"), row("other", note="3", number=6)]
    target = [row("stays", note="1"), row("changes", note="2"), row("other", note="3"), row("goes", note="4")]
    staged = staged_rows(connection, tmp_path, source, target)
    retire_unique_values(connection, staged, "note", ("note",))
    found = {str(each["id"]): each["note"] for each in query(connection, 'SELECT "id", "note" FROM "Thing"')}
    assert found == {"stays": "1", "changes": f"{RETIRED_PREFIX}changes", "other": "3", "goes": f"{RETIRED_PREFIX}goes"}


def test_only_rows_that_give_a_value_up_to_another_are_replaced(connection: Connection, tmp_path: Path) -> None:
    execute(connection, 'CREATE UNIQUE INDEX "u" ON "Thing" ("number", "note")')
    target = [row(each, note=each) for each in ("a", "b", "c", "d", "e")]
    source = [row("a", note="b"), row("b", note="a"), row("c", note="fresh"), row("d", note="d", number=7),
              row("e", note="f"), row("new", note="e")]  # fmt: skip
    staged = staged_rows(connection, tmp_path, source, target)
    execute(connection, 'UPDATE "Thing" SET own = "id"')
    replace_instead_of_update(connection, staged, ("number", "note"))
    names = {
        kind: {str(each["id"]) for each in query(connection, f'SELECT "id" FROM {name}')}
        for kind, name in (("updates", staged.updates), ("deletes", staged.deletes), ("inserts", staged.inserts))
    }
    assert names == {"updates": {"c", "d"}, "deletes": {"a", "b", "e"}, "inserts": {"a", "b", "e", "new"}}
    delete_rows(connection, staged)
    insert_rows(connection, staged)
    restore_own_columns(connection, staged)
    update_rows(connection, staged)
    assert cells(connection) == sorted(plain(batch(KEYED, source)))
    owned = {str(each["id"]): each["own"] for each in query(connection, 'SELECT "id", own FROM "Thing"')}
    assert owned == {**{name: name for name in "abcde"}, "new": "new"}


def test_temporary_tables_are_gone_with_the_transaction(
    connection: Connection, database_uri: str, tmp_path: Path
) -> None:
    staged = staged_rows(connection, tmp_path, [row("a")], [])
    insert_rows(connection, staged)
    connection.commit()
    (left,) = query(connection, "SELECT count(*) AS tables FROM pg_class WHERE relname LIKE 'odyssey%'")
    assert left["tables"] == 0
    with psycopg.connect(database_uri) as other:
        assert other.execute('SELECT "id" FROM "Thing"').fetchall() == [("a",)]
