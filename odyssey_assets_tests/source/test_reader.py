"""A table of a SQLite file comes out as it is: every row, every value, in order.

Belongs here: reading real files. Does not belong here: values that cannot be carried (``test_reader_misfits``).
"""

import sqlite3
import struct
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import Kind
from odyssey_assets.source import reader
from odyssey_assets.source.reader import read_table
from odyssey_assets.source.survey import survey_table
from odyssey_assets.source.values import Reason
from odyssey_assets_tests.source.conftest import Files
from odyssey_assets_tests.source.reading import NINE, NINE_MILLISECONDS, batches_of, rows_of, table_of


def test_each_kind_is_read(files: Files) -> None:
    path = files.with_rows(
        "T",
        ["t TEXT", "j TEXT", "e TEXT", "i INTEGER", "d REAL", "b BOOLEAN", "m DATETIME"],
        [
            ("a", "[1]", "USER", 1, 0.5, 1, NINE_MILLISECONDS),
            ("", "{}", "ADMIN", -(2**63), float("inf"), 0, 0),
            (None, None, None, None, None, None, None),
            ("é\U0001f680", " null", "USER", 2**63 - 1, 3, True, -1),
        ],
    )
    table = table_of(
        "T", t=Kind.TEXT, j=Kind.JSON, e=Kind.ENUM, i=Kind.INTEGER, d=Kind.DOUBLE, b=Kind.BOOLEAN, m=Kind.MOMENT
    )
    assert rows_of(path, table) == (
        [
            ("a", "[1]", "USER", 1, 0.5, True, NINE),
            ("", "{}", "ADMIN", -(2**63), float("inf"), False, datetime(1970, 1, 1)),
            (None,) * 7,
            ("é\U0001f680", " null", "USER", 2**63 - 1, 3.0, True, datetime(1969, 12, 31, 23, 59, 59, 999_000)),
        ],
        {},
    )


def test_an_empty_table_has_no_batch(files: Files) -> None:
    path = files.with_rows("T", ["t TEXT", "i INTEGER", "d REAL", "b BOOLEAN", "m DATETIME"], [])
    table = table_of("T", t=Kind.TEXT, i=Kind.INTEGER, d=Kind.DOUBLE, b=Kind.BOOLEAN, m=Kind.MOMENT)
    assert batches_of(path, table) == []


def test_rows_that_look_like_the_sentinel_are_all_kept(files: Files) -> None:
    path = files.with_rows("T", ["t TEXT", "i INTEGER", "d REAL"], [("", 0, 0.5)] * 3)
    table = table_of("T", t=Kind.TEXT, i=Kind.INTEGER, d=Kind.DOUBLE)
    assert rows_of(path, table) == ([("", 0, 0.5)] * 3, {})


@pytest.mark.parametrize("row_count", [1, 15, 16, 17, 31, 32, 33, 100])
def test_the_sentinel_never_leaks_whatever_the_size_of_the_last_batch(
    files: Files, monkeypatch: pytest.MonkeyPatch, row_count: int
) -> None:
    monkeypatch.setattr(reader, "BATCH_ROWS", 16)
    path = files.with_rows("T", ["i INTEGER"], [(number,) for number in range(1, row_count + 1)])
    table = table_of("T", i=Kind.INTEGER)
    assert max(batch.rows.num_rows for batch in batches_of(path, table)) <= 16
    assert rows_of(path, table) == ([(number,) for number in range(1, row_count + 1)], {})


def test_a_first_batch_of_nulls_does_not_decide_the_types(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BATCH_ROWS", 16)
    last = ("a", "[]", "USER", 5, 0.25, 1, "2025-10-10 09:00:00")
    path = files.with_rows(
        "T",
        ["t TEXT", "j TEXT", "e TEXT", "i INTEGER", "d REAL", "b BOOLEAN", "m DATETIME"],
        [*[(None,) * 7] * 40, last, (b"", 1, 2, "x", "x", "x", 0)],
    )
    table = table_of(
        "T", t=Kind.TEXT, j=Kind.JSON, e=Kind.ENUM, i=Kind.INTEGER, d=Kind.DOUBLE, b=Kind.BOOLEAN, m=Kind.MOMENT
    )
    rows, misfits = rows_of(path, table)
    assert rows[:40] == [(None,) * 7] * 40
    assert rows[40:] == [
        ("a", "[]", "USER", 5, 0.25, True, NINE),
        (None, "1", None, None, None, None, datetime(1970, 1, 1)),
    ]
    assert misfits == {
        ("e", Reason.UNKNOWN_LABEL): [42],
        **{(name, Reason.STORAGE_CLASS): [42] for name in ("t", "i", "d", "b")},
    }


def test_columns_go_by_name(files: Files) -> None:
    path = files.with_rows("T", ["late TEXT", "unknown BLOB", "id TEXT", "n INTEGER"], [("later", b"?", "1", 9)])
    assert rows_of(path, table_of("T", id=Kind.TEXT, n=Kind.INTEGER, late=Kind.TEXT)) == ([("1", 9, "later")], {})


def test_every_name_is_quoted(files: Files) -> None:
    names = ['a "quoted" name', "sel#text", "order", "#rowid", "naïve; --", "a'b"]
    table = 'we"ird #table; DROP'
    path = files.with_rows(
        table, ['"' + name.replace('"', '""') + '" INTEGER' for name in names], [tuple(range(len(names)))]
    )
    columns = tuple(CarriedColumn(name, Kind.INTEGER, "integer") for name in reversed(names) if name != "#rowid")
    carried = CarriedTable(table, columns, (names[0],))
    assert rows_of(path, carried) == ([(5, 4, 2, 1, 0)], {})


def test_a_path_with_special_characters_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "50% of what?#ünicode &mode=rw"
    folder.mkdir()
    path = Files(folder).with_rows("T", ["i INTEGER"], [(1,)], name="a b.db")
    assert rows_of(path, table_of("T", i=Kind.INTEGER)) == ([(1,)], {})


def test_long_text_comes_whole(files: Files) -> None:
    texts = ["é" * 500_000, "x" * 1_048_577, ""]
    path = files.with_rows("T", ["t TEXT"], [(text,) for text in texts])
    assert rows_of(path, table_of("T", t=Kind.TEXT)) == ([(text,) for text in texts], {})


def test_rows_come_in_rowid_order_with_their_rowids(files: Files) -> None:
    path = files.with_statements(
        "CREATE TABLE T (t TEXT, other TEXT)",
        "INSERT INTO T (rowid, t, other) VALUES (5, 'a', 'x'), (-3, 'c', 'x'), (9000000000, 'b', 'x'), (0, 'd', 'x')",
        "CREATE UNIQUE INDEX T_t ON T (t)",
    )
    (batch,) = batches_of(path, table_of("T", t=Kind.TEXT))
    assert batch.rowids is not None
    assert batch.rowids.to_pylist() == [-3, 0, 5, 9_000_000_000]
    assert batch.rows.to_pydict() == {"t": ["c", "d", "a", "b"]}
    survey = survey_table(path, "T", {"t": Kind.TEXT})
    (without,) = read_table(path, table_of("T", t=Kind.TEXT), survey)
    assert (without.rowids, without.rows.to_pydict()) == (None, {"t": ["c", "d", "a", "b"]})


def test_the_rows_are_read_and_not_an_index_over_them(files: Files) -> None:
    """Two indexes with each other's content: whoever asks an index for the columns gets the wrong rows."""
    path = files.with_statements(
        "CREATE TABLE T (t TEXT, wide TEXT)",
        "INSERT INTO T VALUES ('right', 'wrong'), ('right', 'wrong')",
        "CREATE INDEX by_t ON T (t)",
        "CREATE INDEX by_wide ON T (wide)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET rootpage = CASE name WHEN 'by_t' THEN 4 ELSE 3 END WHERE type = 'index'",
    )
    with closing(sqlite3.connect(path)) as connection:
        misled = connection.execute("SELECT t FROM T INDEXED BY by_t WHERE t > ''").fetchall()
    assert misled == [("wrong",), ("wrong",)]
    assert rows_of(path, table_of("T", t=Kind.TEXT)) == ([("right",), ("right",)], {})


def test_a_file_in_wal_mode_without_its_wal_is_read_and_left_alone(files: Files) -> None:
    path = files.with_statements("PRAGMA journal_mode = WAL", "CREATE TABLE T (i INTEGER)", "INSERT INTO T VALUES (1)")
    before = path.read_bytes()
    assert rows_of(path, table_of("T", i=Kind.INTEGER)) == ([(1,)], {})
    assert (path.read_bytes(), list(path.parent.iterdir())) == (before, [path])


def test_a_stream_left_unread_closes_the_file(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BATCH_ROWS", 16)
    path = files.with_rows("T", ["i INTEGER"], [(number,) for number in range(100)])
    table = table_of("T", i=Kind.INTEGER)
    stream = read_table(path, table, survey_table(path, "T", table.kinds))
    assert next(stream).rows.num_rows == 15
    stream.close()  # type: ignore[attr-defined]
    open_files = Path("/proc/self/fd")
    if open_files.exists():
        assert path not in [link.resolve() for link in open_files.iterdir()]


ROWS = st.tuples(
    st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    # SQLite itself keeps -0.0 in a REAL column as 0.0.
    st.none() | st.floats(allow_nan=False).map(lambda number: number or 0.0),
    st.none() | st.booleans(),
    st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda at: at.replace(microsecond=0)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, max_size=30), st.integers(1, 8))
def test_any_rows_come_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]], batch: int
) -> None:
    def as_stored(row: tuple[object, ...]) -> tuple[object, ...]:
        at = row[4]
        return (*row[:4], str(at) if isinstance(at, datetime) else at)

    # Without a declared type SQLite keeps the sign of zero.
    path = Files(tmp_path_factory.mktemp("any")).with_rows(
        "T", ["t TEXT", "i INTEGER", "d", "b BOOLEAN", "m DATETIME"], map(as_stored, rows)
    )
    table = table_of("T", t=Kind.TEXT, i=Kind.INTEGER, d=Kind.DOUBLE, b=Kind.BOOLEAN, m=Kind.MOMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "BATCH_ROWS", batch)
        found, misfits = rows_of(path, table)
    assert misfits == {}
    assert found == rows
    bits = [struct.pack("d", row[2]) for row in rows if isinstance(row[2], float)]
    assert [struct.pack("d", row[2]) for row in found if isinstance(row[2], float)] == bits


def test_milliseconds_are_exact_over_the_whole_calendar(files: Files) -> None:
    moments = [datetime(1, 1, 1) + timedelta(days=37 * at, milliseconds=at) for at in range(0, 98_000, 97)]
    epoch = datetime(1970, 1, 1)
    numbers = [(moment - epoch) // timedelta(milliseconds=1) for moment in moments]
    in_seconds = range(1_000_000_000, 4_200_000_001)
    kept = [(number, moment) for number, moment in zip(numbers, moments, strict=True) if number not in in_seconds]
    path = files.with_rows("T", ["m DATETIME"], [(number,) for number, _ in kept])
    assert rows_of(path, table_of("T", m=Kind.MOMENT)) == ([(moment,) for _, moment in kept], {})
