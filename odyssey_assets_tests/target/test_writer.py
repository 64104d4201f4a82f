"""Writing every type and reading it back: by PostgreSQL's own words, by the reader, and by random values."""

import json
import math
import struct
from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.json_documents import canonical_document
from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind
from odyssey_assets.target.connection import connect, execute
from odyssey_assets.target.reader import read_table
from odyssey_assets.target.url import TargetUrl
from odyssey_assets.target.writer import copy_rows
from odyssey_assets_tests.statements import ask_postgres, run_postgres

FIRST_MICROSECONDS = -210_866_803_200_000_000
LAST_MICROSECONDS = 9_223_371_331_199_999_000
ODD_TEXTS = ["", " ", "\\N", "\\.", "a\tb\r\nc", "'\"`", "\x01\x1f\x7f", "\u0080\u2028\ufeff\uffff", "e\u0301", "é",
             "\U0001f469\u200d\U0001f680", "\U0010ffff", "x" * 100_000, "NULL", "{1,2}", "0"]  # fmt: skip
LABELS = ("plain", "ÄÖ ü", "with'quote")


class Case:
    """One PostgreSQL type: its kind, values to carry, and an expression that shows them, with what it must show."""

    def __init__(self, kind: Kind, type_sql: str, type_name: str, values: list[object], shown_sql: str) -> None:
        self.kind, self.type_sql, self.values, self.shown_sql = kind, type_sql, values, shown_sql
        self.column = CarriedColumn("c", kind, type_name, labels=LABELS if kind is Kind.ENUM else ())


def as_hex(value: object) -> str:
    return struct.pack(">d", value).hex()


DENORMAL = 5e-324
DOUBLES: list[object] = [0.0, -0.0, 1.0, 0.1, math.inf, -math.inf, DENORMAL, -DENORMAL, 2.2250738585072014e-308,
                         1.7976931348623157e308, 1 / 3, 1e22]  # fmt: skip
MOMENTS: list[object] = [FIRST_MICROSECONDS, -62_135_596_800_000_000, -1000, 0, 1000, 1_760_086_800_123_000,
                         253_402_300_799_999_000, LAST_MICROSECONDS]  # fmt: skip
MICROSECONDS_SQL = "(extract(epoch FROM c) * 1000000)::bigint::text"
CASES = {
    "text": Case(Kind.TEXT, "text", "text", [*ODD_TEXTS], "c"),
    "varchar": Case(Kind.TEXT, "varchar", "character varying", [*ODD_TEXTS], "c"),
    "document as text": Case(Kind.JSON, "text", "text", ["{}", " [1, 2]", "not json", ""], "c"),
    "document": Case(
        Kind.JSON, "jsonb", "jsonb", ["{}", "[]", '"x"', '{"a": null}', "1.50", '"\U0001f680"'], "c::text"
    ),
    "enum": Case(Kind.ENUM, "label", "label", [*LABELS], "c::text"),
    "smallint": Case(Kind.INTEGER, "smallint", "smallint", [-(2**15), -1, 0, 2**15 - 1], "c::text"),
    "integer": Case(Kind.INTEGER, "integer", "integer", [-(2**31), -1, 0, 2**31 - 1], "c::text"),
    "bigint": Case(Kind.INTEGER, "bigint", "bigint", [-(2**63), -1, 0, 2**63 - 1], "c::text"),
    "double": Case(Kind.DOUBLE, "double precision", "double precision", DOUBLES, "encode(float8send(c), 'hex')"),
    "boolean": Case(Kind.BOOLEAN, "boolean", "boolean", [True, False], "c::text"),
    "timestamp": Case(Kind.MOMENT, "timestamp(3)", "timestamp without time zone", MOMENTS, MICROSECONDS_SQL),
    "timestamptz": Case(Kind.MOMENT, "timestamptz(3)", "timestamp with time zone", MOMENTS, MICROSECONDS_SQL),
}


def shown(case: Case, value: object) -> str | None:
    if value is None:
        return None
    if case.kind is Kind.DOUBLE:
        return as_hex(value)
    return str(value).lower() if case.kind is Kind.BOOLEAN else str(value)


def batch_of(case: Case, values: list[object], start: int) -> pa.RecordBatch:
    numbers = pa.array(range(start, start + len(values)), pa.int64())
    column = pa.array(values, pa.int64()).view(CANONICAL_TYPE[case.kind]) if case.kind is Kind.MOMENT else pa.array(
        values, CANONICAL_TYPE[case.kind])  # fmt: skip
    return pa.RecordBatch.from_arrays([numbers, column], names=["n", "c"])


def table_of(name: str) -> CarriedTable:
    return CarriedTable(name, (CarriedColumn("n", Kind.INTEGER, "bigint"), CASES[name].column), ("n",))


def create(uri: str, *names: str) -> None:
    """One table for each named case, of its name."""
    labels = ", ".join("'" + label.replace("'", "''") + "'" for label in LABELS)
    tables = [f'CREATE TABLE "{name}" (n bigint, c {CASES[name].type_sql})' for name in names]
    run_postgres(uri, f"CREATE TYPE label AS ENUM ({labels}); {'; '.join(tables)}")


@pytest.fixture(scope="module")
def one_table_a_type(every_lasting_target: TargetUrl) -> TargetUrl:
    create(every_lasting_target.uri, *CASES)
    return every_lasting_target


@pytest.mark.parametrize("name", CASES)
def test_values_of_a_type_arrive_and_come_back(one_table_a_type: TargetUrl, name: str) -> None:
    case, target, table = CASES[name], one_table_a_type, table_of(name)
    values = [None, *case.values, None]
    batches = [batch_of(case, values[:2], 0), batch_of(case, [], 2), batch_of(case, values[2:], 2)]
    with connect(target) as connection:
        execute(connection, "SET LOCAL timezone = 'Asia/Kathmandu'")
        assert copy_rows(connection, "public", table, iter(batches)) == len(values)
        found = pa.Table.from_batches(read_table(connection, "public", table))
        connection.commit()
    expected = pa.Table.from_batches(batches)
    assert found.schema.equals(expected.schema)
    if case.kind is Kind.DOUBLE:
        assert [as_hex(value) for value in found["c"].to_pylist()[1:-1]] == [as_hex(value) for value in case.values]
    else:
        assert found.combine_chunks().equals(expected.combine_chunks())
    stored = ask_postgres(target.uri, f'SELECT {case.shown_sql} FROM "{name}" ORDER BY n')
    assert [text for (text,) in stored] == [shown(case, value) for value in values]


def test_columns_go_by_name_whatever_the_order_of_the_table(target: TargetUrl) -> None:
    run_postgres(target.uri, """CREATE TABLE "T a" (spare text DEFAULT 'kept', "B" text, gone int, "A" text, n int);
                                ALTER TABLE "T a" DROP COLUMN gone""")  # fmt: skip
    columns = (CarriedColumn("A", Kind.TEXT, "text"), CarriedColumn("n", Kind.INTEGER, "integer"),
               CarriedColumn("B", Kind.TEXT, "text"))  # fmt: skip
    table = CarriedTable("T a", columns, ("n",))
    batch = pa.RecordBatch.from_pydict({"A": ["in A"], "n": pa.array([7], pa.int64()), "B": ["in B"]})
    with connect(target) as connection:
        copy_rows(connection, "public", table, iter([batch]))
        found = pa.Table.from_batches(read_table(connection, "public", table)).to_pylist()
        connection.commit()
    assert found == [{"A": "in A", "n": 7, "B": "in B"}]
    assert ask_postgres(target.uri, 'SELECT "A", "B", n, spare FROM "T a"') == [("in A", "in B", 7, "kept")]


def test_another_schema_is_written_and_read(target: TargetUrl) -> None:
    run_postgres(
        target.uri, 'CREATE TABLE t (c text); CREATE SCHEMA "Odd ""schema"; CREATE TABLE "Odd ""schema".t (c text)'
    )
    table = CarriedTable("t", (CarriedColumn("c", Kind.TEXT, "text"),), ("c",))
    with connect(target) as connection:
        copy_rows(connection, 'Odd "schema', table, iter([pa.RecordBatch.from_pydict({"c": ["x"]})]))
        assert [b.to_pylist() for b in read_table(connection, 'Odd "schema', table)] == [[{"c": "x"}]]
        assert list(read_table(connection, "public", table)) == []


def test_no_rows_are_no_rows(target: TargetUrl) -> None:
    create(target.uri, "text")
    with connect(target) as connection:
        assert copy_rows(connection, "public", table_of("text"), iter(())) == 0
        assert list(read_table(connection, "public", table_of("text"))) == []


def test_an_error_of_the_stream_keeps_its_name_and_nothing_stays(target: TargetUrl) -> None:
    create(target.uri, "text")

    def failing() -> Iterator[pa.RecordBatch]:
        yield batch_of(CASES["text"], ["one"], 0)
        raise IntegrityError("The second batch holds a misfit.", table="t", column="c", key={"n": 5})

    with (
        pytest.raises(IntegrityError, match=r"The second batch holds a misfit") as raised,
        connect(target) as connection,
    ):
        copy_rows(connection, "public", table_of("text"), failing())
    assert (raised.value.table, raised.value.column, raised.value.key) == ("t", "c", {"n": 5})
    assert ask_postgres(target.uri, 'SELECT count(*) FROM "text"') == [(0,)]


def test_a_value_the_server_refuses_is_an_integrity_error(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (c varchar(3))")
    table = CarriedTable("t", (CarriedColumn("c", Kind.TEXT, "character varying"),), ("c",))
    batch = pa.RecordBatch.from_pydict({"c": ["four"]})
    with pytest.raises(IntegrityError, match="value too long for type"), connect(target) as connection:
        copy_rows(connection, "public", table, iter([batch]))


texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)))
milliseconds = st.integers(FIRST_MICROSECONDS // 1000, LAST_MICROSECONDS // 1000).map(lambda each: each * 1000)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | texts,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(texts, each, max_size=3),
    max_leaves=8,
)
DRAWN: dict[str, st.SearchStrategy[object]] = {
    "text": texts,
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "enum": st.sampled_from(LABELS),
    "timestamp": milliseconds,
    "timestamptz": milliseconds,
}


@pytest.fixture(scope="module")
def tables_of_all_types(lasting_target: TargetUrl) -> TargetUrl:
    create(lasting_target.uri, *DRAWN, "document")
    return lasting_target


def written_and_read(target: TargetUrl, name: str, values: list[object]) -> pa.Table:
    table = table_of(name)
    with connect(target) as connection:
        copy_rows(connection, "public", table, iter([batch_of(CASES[name], values, 0)]))
        return pa.Table.from_batches(read_table(connection, "public", table))


@pytest.mark.parametrize("name", DRAWN)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_random_values_come_back_bit_for_bit(tables_of_all_types: TargetUrl, name: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | DRAWN[name], min_size=1, max_size=40))
    found = written_and_read(tables_of_all_types, name, values)
    expected = pa.Table.from_batches([batch_of(CASES[name], values, 0)])
    if name == "double":
        found, expected = (
            table.set_column(1, "c", table["c"].combine_chunks().view(pa.int64())) for table in (found, expected)
        )
    assert found.combine_chunks().equals(expected.combine_chunks())


@settings(max_examples=12, deadline=None)
@given(values=st.lists(documents, min_size=1, max_size=20))
def test_random_documents_come_back_as_the_same_documents(tables_of_all_types: TargetUrl, values: list[object]) -> None:
    spelled: list[object] = [json.dumps(value, ensure_ascii=False) for value in values]
    spelled = [text for text in spelled if "\\u0000" not in str(text)]
    found = written_and_read(tables_of_all_types, "document", [*spelled, None])["c"].to_pylist()
    assert [canonical_document(text) for text in found[:-1]] == [canonical_document(str(text)) for text in spelled]
    assert found[-1] is None
