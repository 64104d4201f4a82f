"""Rows that are objected to, and the findings that name them."""

import math
from pathlib import Path

import numpy as np
import pytest

from odyssey_assets.findings import Severity
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.preflight.objections import FINDINGS_LISTED, Objection, findings_of, keys_of_rows, rows_by_table
from odyssey_assets.source.snapshot import open_snapshot
from odyssey_assets_tests.plain_source import TextBytes, insert
from odyssey_assets_tests.statements import run_sqlite


def objection(rowids: list[int], table: str = "T", *, is_consequence: bool = False) -> Objection:
    array = np.array(rowids, dtype=np.int64)
    return Objection(table, "c", "some_kind", "why", array, is_consequence=is_consequence)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    run_sqlite(tmp_path / "t.db", 'CREATE TABLE "T" ("k", "l")')
    return tmp_path / "t.db"


def keys(file: Path, *cells: object) -> list[dict[str, object]]:
    """The keys of rows with these values, whose rowids are 1, 2, 3 and so on."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(file)) as connection, connection:
        for cell in cells:
            insert(connection, "T", {"k": cell})
    with open_snapshot(file) as connection:
        return list(keys_of_rows(connection, "T", ("k",), np.arange(1, len(cells) + 1)))


def test_a_sound_key_is_told_as_it_is(file: Path) -> None:
    assert keys(file, "clx1", "é", 7, 0.5) == [{"k": "clx1"}, {"k": "é"}, {"k": 7}, {"k": 0.5}]


def test_a_broken_key_is_joined_by_the_rowid(file: Path) -> None:
    found = keys(file, None, "", b"\xff\x00", TextBytes(b"a\xff"), "a\x00b", math.inf)
    shown = [None, "", "x'ff00'", "a\\xff", "a\\x00b", "inf"]
    assert found == [{"k": value, "rowid": rowid} for rowid, value in enumerate(shown, 1)]


def test_keys_come_in_the_order_of_rowids_and_of_the_rows_asked_for_alone(file: Path) -> None:
    keys(file, "a", "b", "c")
    with open_snapshot(file) as connection:
        assert list(keys_of_rows(connection, "T", ("l", "k"), np.array([3, 1]))) == [
            {"l": None, "k": "a", "rowid": 1},
            {"l": None, "k": "c", "rowid": 3},
        ]


def test_rows_are_held_back_once_whatever_the_number_of_objections() -> None:
    found = rows_by_table([objection([3, 1]), objection([2, 3]), objection([9], "U")])
    assert {table: rowids.tolist() for table, rowids in found.items()} == {"T": [1, 2, 3], "U": [9]}


def test_every_row_has_a_finding_up_to_the_cap_and_then_one_counts_the_rest(file: Path) -> None:
    keys(file, *(f"k{number}" for number in range(1, FINDINGS_LISTED + 4)))
    table = {"T": CarriedTable("T", (), ("k",))}
    exactly = findings_of([objection(list(range(FINDINGS_LISTED, 0, -1)))], file, table)
    assert [each.key for each in exactly] == [{"k": f"k{number}"} for number in range(1, FINDINGS_LISTED + 1)]
    assert {(each.severity, each.kind, each.table, each.column, each.count, each.detail) for each in exactly} == {
        (Severity.ERROR, "some_kind", "T", "c", 1, "why")
    }
    more = findings_of([objection(list(range(1, FINDINGS_LISTED + 4)))], file, table)
    assert more[:-1] == exactly
    assert (more[-1].key, more[-1].count, more[-1].detail) == (None, 3, "why (3 more rows)")


def test_a_row_that_only_follows_another_is_a_warning(file: Path) -> None:
    keys(file, "a")
    (finding,) = findings_of([objection([1], is_consequence=True)], file, {"T": CarriedTable("T", (), ("k",))})
    assert finding.severity is Severity.WARNING
