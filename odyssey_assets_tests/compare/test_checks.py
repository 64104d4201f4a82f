"""The checks: each fails for its planted fault with the exact words, and passes for the equal twin."""

from dataclasses import replace

import pytest

from odyssey_assets.compare.checks import CHECK_DESCRIPTIONS, CheckName, CheckResult, check_table
from odyssey_assets.compare.differences import Comparison, Difference, DifferenceKind
from odyssey_assets.findings import Severity
from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import Kind
from odyssey_assets.target.foreign_keys import ForeignKeyFacts

TABLE = CarriedTable("T", (CarriedColumn("id", Kind.TEXT, "text", is_required=True),
                           CarriedColumn("note", Kind.TEXT, "text")), ("id",))  # fmt: skip
EQUAL = Comparison(
    table="T",
    columns=("id", "note"),
    source_rows=1200,
    target_rows=1200,
    source_nulls={"id": 0, "note": 7},
    target_nulls={"id": 0, "note": 7},
)
SOUND = ForeignKeyFacts("T_note_fkey", exists=True, is_validated=True, as_declared=True, orphan_rows=0)


def checked(
    comparison: Comparison = EQUAL, fact: ForeignKeyFacts = SOUND, rows: int = 1200
) -> dict[CheckName, CheckResult]:
    results = check_table(TABLE, rows, comparison, (fact,))
    assert {result.table for result in results} == {"T"}
    assert {result.name for result in results if result.severity is Severity.WARNING} == {CheckName.QUARANTINE}
    return {result.name: result for result in results}


def failing(results: dict[CheckName, CheckResult]) -> set[CheckName]:
    return {name for name, result in results.items() if not result.passed}


def test_equal_sides_pass_every_check() -> None:
    results = checked()
    assert {name: (result.passed, result.differences, result.detail) for name, result in results.items()} == {
        CheckName.ROW_COUNT: (True, 0, "1,200 rows in the snapshot, 1,200 in PostgreSQL"),
        CheckName.NULLS: (True, 0, "equal in all 2 columns"),
        CheckName.FOREIGN_KEYS: (True, 0, "1 validated, no orphans"),
        CheckName.ROWS_EQUAL: (True, 0, "1,200 rows, 2 columns, every cell equal"),
        CheckName.QUARANTINE: (True, 0, "no row is held back"),
    }
    assert {result.looked_at_rows for result in results.values()} == {1200}


def test_an_empty_table_without_foreign_keys_passes() -> None:
    nothing = replace(EQUAL, source_rows=0, target_rows=0, source_nulls=EQUAL.source_nulls | {"note": 0},
                      target_nulls=EQUAL.target_nulls | {"note": 0})  # fmt: skip
    results = {result.name: result for result in check_table(TABLE, 0, nothing, ())}
    assert failing(results) == set()
    assert results[CheckName.FOREIGN_KEYS].detail == "the model declares none for this table"


def test_every_check_has_a_description() -> None:
    assert CHECK_DESCRIPTIONS.keys() == set(CheckName)


def test_a_row_too_few_fails_the_count() -> None:
    result = checked(replace(EQUAL, target_rows=1199))[CheckName.ROW_COUNT]
    assert (result.passed, result.differences, result.detail) == (
        False, 1, "1,200 rows in the snapshot, 1,199 in PostgreSQL")  # fmt: skip


def test_a_swapped_row_passes_the_count_and_fails_the_rows() -> None:
    difference = Difference(DifferenceKind.MISSING, {"id": "a"})
    results = checked(replace(EQUAL, missing_rows=1, extra_rows=1, changed_rows=3, listed=(difference,)))
    assert failing(results) == {CheckName.ROWS_EQUAL}
    result = results[CheckName.ROWS_EQUAL]
    assert (result.differences, result.detail, result.listed) == (
        5, "1 missing, 1 extra, 3 changed rows", (difference,))  # fmt: skip


@pytest.mark.parametrize("seen_rows", [0, 600, 1199, 1201])
def test_a_reading_that_did_not_see_every_row_is_never_green(seen_rows: int) -> None:
    """Both sides agree on what was seen; SQLite's own count says that there is more."""
    part = replace(EQUAL, source_rows=seen_rows, target_rows=seen_rows)
    results = checked(part)
    assert failing(results) == {CheckName.ROW_COUNT, CheckName.NULLS, CheckName.ROWS_EQUAL}
    assert f"{seen_rows:,} were read from the snapshot" in results[CheckName.ROW_COUNT].detail
    assert "not everything was compared" in results[CheckName.ROWS_EQUAL].detail
    assert "rows were looked at" in results[CheckName.NULLS].detail
    assert failing(checked(part, rows=seen_rows)) == set()


def test_a_column_left_out_is_never_green() -> None:
    result = checked(replace(EQUAL, columns=("id",)))[CheckName.ROWS_EQUAL]
    assert not result.passed
    assert result.detail == "not everything was compared: 1,200 of 1,200 rows, columns left out: note"


def test_uneven_nulls_fail_by_column_though_the_sums_are_equal() -> None:
    results = checked(replace(EQUAL, source_nulls={"id": 0, "note": 7}, target_nulls={"id": 0, "note": 4}))
    assert failing(results) == {CheckName.NULLS}
    result = results[CheckName.NULLS]
    assert (result.differences, result.detail) == (3, "note: 7 in the source, 4 in PostgreSQL")


def test_nulls_in_a_required_column_fail_also_where_both_sides_have_them() -> None:
    result = checked(replace(EQUAL, source_nulls={"id": 2, "note": 7}, target_nulls={"id": 2, "note": 7}))[
        CheckName.NULLS
    ]
    assert (result.passed, result.differences, result.detail) == (False, 2, "id: 2 although it is required")


@pytest.mark.parametrize(
    ("fact", "detail", "differences"),
    [
        (replace(SOUND, exists=False, as_declared=False, is_validated=False), "T_note_fkey does not exist", 1),
        (replace(SOUND, is_validated=False), "T_note_fkey is NOT VALID", 1),
        (replace(SOUND, as_declared=False), "T_note_fkey is not as the model declares it", 1),
        (replace(SOUND, orphan_rows=None), "T_note_fkey could not be counted", 1),
        (replace(SOUND, orphan_rows=1234), "T_note_fkey has 1,234 orphans", 1234),
        (
            replace(SOUND, exists=False, orphan_rows=2),
            "T_note_fkey does not exist; T_note_fkey has 2 orphans",
            2,
        ),
    ],
    ids=["missing", "not valid", "not as declared", "not counted", "orphans", "orphans under a dropped one"],
)
def test_a_faulty_foreign_key_fails_its_check_alone(fact: ForeignKeyFacts, detail: str, differences: int) -> None:
    results = checked(fact=fact)
    assert failing(results) == {CheckName.FOREIGN_KEYS}
    result = results[CheckName.FOREIGN_KEYS]
    assert (result.detail, result.differences) == (detail, differences)


def test_rows_held_back_are_a_warning_and_no_failure_of_the_others() -> None:
    results = {result.name: result for result in check_table(TABLE, 1200, EQUAL, (SOUND,), held_rows=3)}
    assert failing(results) == {CheckName.QUARANTINE}
    result = results[CheckName.QUARANTINE]
    assert (result.severity, result.differences, result.looked_at_rows) == (Severity.WARNING, 3, 1203)
    assert "odyssey_sync.quarantine: 3" in result.detail
