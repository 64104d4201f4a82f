"""Scanning a table's values: in every batch, in every index, under the limits of the target's own columns."""

from dataclasses import replace
from pathlib import Path

import pytest

from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import Kind
from odyssey_assets.preflight.objections import Objection
from odyssey_assets.preflight.scan import scan_table
from odyssey_assets.source.reader import BATCH_ROWS
from odyssey_assets.source.survey import survey_table
from odyssey_assets.target.catalog import TargetIndex, TargetTable
from odyssey_assets.target.catalog_to_be import catalog_to_be
from odyssey_assets_tests.plain_source import plant
from odyssey_assets_tests.preflight.examining import examine, told
from odyssey_assets_tests.statements import run_sqlite

COLUMNS = (
    CarriedColumn("id", Kind.TEXT, "text", is_required=True),
    CarriedColumn("a", Kind.TEXT, "text"),
    CarriedColumn("b", Kind.TEXT, "text"),
    CarriedColumn("n", Kind.INTEGER, "integer"),
)
TABLE = CarriedTable("T", COLUMNS, ("id",))


def target(*indexes: tuple[str, ...], limit: str = "text") -> TargetTable:
    village = catalog_to_be("public", 5).tables["Village"]
    column = next(each for each in village.columns if each.name == "name")
    return replace(
        village,
        name="T",
        columns=tuple(replace(column, name=each.name, type_text=limit) for each in COLUMNS),
        indexes=tuple(
            TargetIndex(f"i{number}", columns, False, False, "", None, True) for number, columns in enumerate(indexes)
        ),
    )


def file_with(path: Path, rows: int) -> Path:
    run_sqlite(
        path,
        'CREATE TABLE "T" ("id" TEXT, "a" TEXT, "b" TEXT, "n" INTEGER)',
        f"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {rows}) "
        """INSERT INTO "T" SELECT 'id' || i, 'a', NULL, i FROM c""",
    )
    return path


def scanned(path: Path, in_target: TargetTable) -> tuple[int, list[tuple[str | None, str, list[int]]]]:
    """Rows read, and the objections."""
    steps = list(scan_table(path, TABLE, survey_table(path, "T", TABLE.kinds), in_target))
    rows = sum(step for step in steps if isinstance(step, int))
    found = [(each.column, each.kind, each.rowids.tolist()) for each in steps if isinstance(each, Objection)]
    return rows, found


def test_bad_values_are_found_in_every_batch_and_named_by_their_rowid(tmp_path: Path) -> None:
    rows = 2 * BATCH_ROWS + 5
    path = file_with(tmp_path / "t.db", rows)
    run_sqlite(path, 'DELETE FROM "T" WHERE rowid = 7')
    bad = [1, BATCH_ROWS, BATCH_ROWS + 1, BATCH_ROWS + 2, 2 * BATCH_ROWS + 1, rows]
    run_sqlite(path, f'UPDATE "T" SET "n" = {2**31} WHERE rowid IN ({", ".join(map(str, bad))})')
    assert scanned(path, target(("a",))) == (rows - 1, [("n", "integer_out_of_range", bad)])


@pytest.mark.parametrize(
    ("index", "lengths", "is_too_long"),
    [
        (("a",), (2692, None), False),
        (("a",), (2693, None), True),
        (("a",), (None, 9000), False),
        (("a", "b"), (1344, 1340), False),
        (("a", "b"), (1349, 1344), True),
        (("a", "b"), (2684, None), False),
        (("a", "b"), (2688, None), True),
        (("a", "n"), (2684, None), False),
        (("a", "n"), (2685, None), True),
        (("n",), (9000, 9000), False),
        ((), (9000, 9000), False),
    ],
)
def test_a_text_is_too_long_where_an_index_entry_over_it_would_be(
    tmp_path: Path, index: tuple[str, ...], lengths: tuple[int | None, int | None], is_too_long: bool
) -> None:
    path = file_with(tmp_path / "t.db", 3)
    a, b = (None if length is None else "x" * length for length in lengths)
    plant(path, "T", 2, a=a, b=b)
    assert scanned(path, target(index))[1] == ([("a", "too_long_for_index", [2])] if is_too_long else [])


def test_lengths_in_an_index_are_bytes_and_not_characters(tmp_path: Path) -> None:
    path = file_with(tmp_path / "t.db", 3)
    plant(path, "T", 2, a="é" * 1346)
    assert scanned(path, target(("a",)))[1] == []
    plant(path, "T", 2, a="é" * 1347)
    assert scanned(path, target(("a",)))[1] == [("a", "too_long_for_index", [2])]


def test_an_index_over_columns_that_are_not_carried_is_passed_over(tmp_path: Path) -> None:
    path = file_with(tmp_path / "t.db", 3)
    plant(path, "T", 2, a="x" * 9000)
    assert scanned(path, target(("a", "unknown"), ("",)))[1] == []


def test_a_column_of_limited_length_counts_characters(tmp_path: Path) -> None:
    path = file_with(tmp_path / "t.db", 3)
    plant(path, "T", 2, a="é" * 10, b="x" * 11)
    plant(path, "T", 3, a="x" * 10 + " ")
    found = scanned(path, target(limit="character varying(10)"))[1]
    assert found == [("a", "too_long_for_column", [3]), ("b", "too_long_for_column", [2])]
    assert scanned(path, target(limit="character varying"))[1] == []


def test_details_say_what_was_found_and_what_is_allowed(tmp_path: Path) -> None:
    from odyssey_assets_tests.plain_source import write_database

    source = write_database(tmp_path / "odyssey.db")
    plant(source, "Panel", 1, sizeTarget=2**40, archived="yes")
    details = {each.kind: each.detail for each in examine(source, ["Panel"]).findings}
    assert details == {
        "integer_out_of_range": "outside integer, which ends at -2147483648 and 2147483647",
        "storage_class": "stored as text where boolean is expected",
    }
    assert len(told(examine(source, ["Panel"]).findings)) == 2
