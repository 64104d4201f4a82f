"""The join by key: duplicates, keys of several columns, keys that are NULL, and what it leaves behind.

Every verdict is asked for twice: paired in memory, and in DuckDB.
"""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odyssey_assets.compare import keyed
from odyssey_assets.compare.differences import Difference, DifferenceKind
from odyssey_assets.compare.keyed import KeyedDifferences, compare_by_key
from odyssey_assets.compare.rows import comparable
from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import Kind
from odyssey_assets_tests.compare.streams import KEYED, Row, batch, row

PAIRS = CarriedTable("_X", (CarriedColumn("A", Kind.TEXT, "text"), CarriedColumn("B", Kind.TEXT, "text")), ("A", "B"))
NOTES = CarriedTable(
    "N", (CarriedColumn("k", Kind.TEXT, "text"), CarriedColumn('odd "name', Kind.TEXT, "text")), ("k",)
)

Pairs = list[tuple[str | None, str | None]]


@pytest.fixture(params=["in memory", "in DuckDB"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "in DuckDB":
        monkeypatch.setattr(keyed, "IN_MEMORY_ROWS", -1)
    return str(request.param)


def joined(table: CarriedTable, source: Pairs, target: Pairs, scratch: Path, listed: int = 100) -> KeyedDifferences:
    def batches(rows: Pairs) -> list[pa.RecordBatch]:
        columns = [pa.array([each[at] for each in rows], pa.string()) for at in (0, 1)]
        return [pa.RecordBatch.from_arrays(columns, names=list(table.column_names))] if rows else []

    return compare_by_key(table, iter(batches(source)), iter(batches(target)), scratch, listed=listed)


def counts(found: KeyedDifferences) -> tuple[int, int, int]:
    return found.missing_rows, found.extra_rows, found.changed_rows


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ([("a", "b"), ("c", "d")], [("c", "d"), ("a", "b")], (0, 0, 0)),
        ([("a", "b")], [("b", "a")], (1, 1, 0)),
        ([("a", "b"), ("a", "b")], [("a", "b")], (1, 0, 0)),
        ([("a", "b")], [("a", "b")] * 3, (0, 2, 0)),
        ([("a", None), (None, None)], [(None, None), ("a", None)], (0, 0, 0)),
        ([("a", None)], [("a", "")], (1, 1, 0)),
        ([(None, None)] * 2, [(None, None)], (1, 0, 0)),
    ],
    ids=["order", "swapped", "twice in the source", "thrice in the target", "nothing", "nothing and empty", "nothings"],
)
def test_rows_are_paired_by_the_whole_key(
    tmp_path: Path, source: Pairs, target: Pairs, expected: tuple[int, int, int]
) -> None:
    assert counts(joined(PAIRS, source, target, tmp_path)) == expected


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("source", "target", "is_equal"),
    [
        ([("a", "1"), ("a", "2")], [("a", "2"), ("a", "1")], True),
        ([("a", "1"), ("a", "2")], [("a", "2")], False),
        ([("a", "1"), ("a", "2")], [("a", "1"), ("a", "3")], False),
        ([("a", "1")], [("a", "1"), ("a", "1")], False),
    ],
)
def test_a_key_that_should_be_unique_and_is_not_deceives_nobody(
    tmp_path: Path, source: Pairs, target: Pairs, is_equal: bool
) -> None:
    found = joined(NOTES, source, target, tmp_path)
    assert (sum(counts(found)) == 0) is is_equal
    assert found.missing_rows - found.extra_rows == len(source) - len(target)


@pytest.mark.usefixtures("place")
def test_the_exact_report(tmp_path: Path) -> None:
    found = joined(NOTES, [("a", "1"), ("b", None), ("c", "3")], [("b", ""), ("c", "3"), ("d", "4")], tmp_path)
    assert found == KeyedDifferences(
        missing_rows=1,
        extra_rows=1,
        changed_rows=1,
        listed=(
            Difference(DifferenceKind.MISSING, {"k": "a"}),
            Difference(DifferenceKind.CHANGED, {"k": "b"}, 'odd "name', None, ""),
            Difference(DifferenceKind.EXTRA, {"k": "d"}),
        ),
    )


@pytest.mark.usefixtures("place")
def test_the_list_is_cut_and_the_counts_are_not(tmp_path: Path) -> None:
    source: Pairs = [(f"{number:02}", "x") for number in range(50)]
    found = joined(NOTES, source, [], tmp_path, listed=2)
    assert (counts(found), [each.key["k"] for each in found.listed]) == ((50, 0, 0), ["00", "01"])
    assert joined(NOTES, source, [], tmp_path, listed=0).listed == ()


def test_nothing_is_left_in_the_scratch_folder(tmp_path: Path, place: str) -> None:
    scratch = tmp_path / "not" / "yet"
    joined(NOTES, [("a", "1")], [("a", "2")], scratch)
    assert scratch.exists() is (place == "in DuckDB")
    if scratch.exists():
        assert list(scratch.iterdir()) == []
        assert scratch.stat().st_mode & 0o777 == 0o700


def test_two_empty_sides_need_neither_folder_nor_database(tmp_path: Path) -> None:
    assert joined(NOTES, [], [], tmp_path / "scratch") == KeyedDifferences()
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_in_memory_goes_to_the_scratch_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed, "MEMORY_LIMIT", "30MB")
    monkeypatch.setattr(keyed, "IN_MEMORY_ROWS", 1_000)
    source: Pairs = [(f"{number * 7919 % 60013}", f"{number:0300}") for number in range(60_000)]
    target = [*reversed(source[:-1]), ("new", "x")]
    assert counts(joined(NOTES, source, target, tmp_path)) == (1, 1, 0)


def random_cells(chance: random.Random) -> Row:
    return {
        "number": chance.choice([None, 0, 1, -(2**63)]),
        "note": chance.choice([None, "", "á", "a\u0301"]),
        "flag": chance.choice([None, True, False]),
        "moment": chance.choice([None, 0, 9_223_371_331_199_999_000, -210_866_803_200_000_000]),
        "raw": chance.choice([None, "{}", " {}"]),
    }


@pytest.mark.parametrize("seed", range(10))
def test_memory_and_duckdb_find_and_keep_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    chance = random.Random(seed)
    source = [row(f"{chance.random()}", **random_cells(chance)) for _ in range(60)]
    target = [
        {**each, **(random_cells(chance) if chance.random() < 0.4 else {})} for each in source[chance.randrange(9) :]
    ]
    target += [row(f"{chance.random()}") for _ in range(chance.randrange(9))]
    chance.shuffle(target)
    table = KEYED if seed % 2 else CarriedTable("T", KEYED.columns, ("moment", "id"))
    # Doubles and documents arrive as numbers and in one spelling; neither is varied here.
    sides = [comparable(table, batch(table, rows)) for rows in (source, target)]
    found, kept = [], []
    for limit in (keyed.IN_MEMORY_ROWS, len(source) - 1, -1):
        monkeypatch.setattr(keyed, "IN_MEMORY_ROWS", limit)
        file = tmp_path / f"{limit}.parquet"
        found.append(compare_by_key(table, *(iter([each]) for each in sides), tmp_path, listed=500, keep=file))
        kept.append(pq.read_table(file).sort_by([("s:id", "ascending"), ("t:id", "ascending")]))
    assert found[0] == found[1] == found[2]
    assert found[0].changed_rows
    assert kept[1].cast(kept[0].schema).equals(kept[0])
    assert kept[2].cast(kept[0].schema).equals(kept[0])


def test_wide_rows_do_not_stay_in_memory_however_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "IN_MEMORY_BYTES", 1_000)
    scratch = tmp_path / "scratch"
    assert counts(joined(NOTES, [("a", "x" * 2_000)], [("a", "y")], scratch)) == (0, 0, 1)
    assert scratch.exists()
