"""Every foreign key and every unique index of the target, broken once in a source that enforces nothing."""

import shutil
from pathlib import Path

import pytest

from odyssey_assets.preflight.keys import children_of_held_rows
from odyssey_assets.preflight.objections import Rowids
from odyssey_assets.source.snapshot import open_snapshot
from odyssey_assets_tests.plain_source import create_table_sql, plant, tables_of, write_database
from odyssey_assets_tests.preflight.examining import examine, told
from odyssey_assets_tests.statements import run_sqlite

FOREIGN_KEYS = [
    (name, key["columns"][0], key["references"]) for name, table in tables_of().items() for key in table["foreign_keys"]
]
OPTIONAL = {
    (name, each["name"]) for name, table in tables_of().items() for each in table["columns"] if each["nullable"]
}
UNIQUES = [
    (name, each["columns"])
    for name, table in tables_of().items()
    for each in [*table["indexes"], table["primary_key"]]
    if each and each.get("unique", True)
]


@pytest.fixture(scope="module", params=["declared", "bare"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys that SQLite declares are looked at by its own check, the others by a query."""
    folder = tmp_path_factory.mktemp(request.param)
    return write_database(folder / "odyssey.db", rows=3, is_bare=request.param == "bare")


@pytest.fixture
def source(file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(file, tmp_path / "odyssey.db"))


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return write_database(tmp_path / "odyssey.db", rows=3, is_bare=True)


def orphans(source: Path, tables: list[str] | None = None) -> set[tuple[str, str | None, int]]:
    found = [each for each in examine(source, tables).objections if each.kind == "orphan"]
    return {(each.table, each.column, rowid) for each in found for rowid in each.rowids.tolist()}


def test_there_are_as_many_foreign_keys_as_prisma_makes() -> None:
    assert len(FOREIGN_KEYS) == 37
    assert len([each for each in FOREIGN_KEYS if each[:2] in OPTIONAL]) == 7


def test_an_orphan_of_any_foreign_key_is_named_by_its_key(source: Path) -> None:
    for table, column, _ in FOREIGN_KEYS:
        plant(source, table, 2, **{column: "nowhere"})
    expected = {(table, column, 2) for table, column, _ in FOREIGN_KEYS}
    assert orphans(source) == expected
    keys = {(each.table, each.key["id"]) for each in examine(source).findings if each.key and "id" in each.key}
    assert keys >= {(table, f"{table}-1") for table, _, _ in FOREIGN_KEYS if not table.startswith("_")}


@pytest.mark.parametrize("value", ["", "user-1", "User-1 "])
def test_values_that_are_nearly_a_key_are_orphans_also_in_optional_columns(source: Path, value: str) -> None:
    plant(source, "Feedback", 2, authorId=value, villageId=value)
    assert orphans(source, ["Feedback"]) == {("Feedback", "authorId", 2), ("Feedback", "villageId", 2)}


def test_a_null_in_an_optional_foreign_key_is_no_orphan(source: Path) -> None:
    for table, column, _ in FOREIGN_KEYS:
        if (table, column) in OPTIONAL:
            plant(source, table, 2, **{column: None})
    assert examine(source).findings == ()


def test_rows_that_refer_to_themselves_forward_or_in_a_ring_are_no_orphans(source: Path) -> None:
    plant(source, "Feedback", 1, duplicateOfId="Feedback-0")
    plant(source, "Feedback", 2, duplicateOfId="Feedback-2")
    plant(source, "Feedback", 3, duplicateOfId="Feedback-1")
    plant(source, "CollaborationComment", 1, parentId="CollaborationComment-2")
    assert examine(source).findings == ()


def test_a_missing_parent_table_makes_orphans_of_all_that_name_one(source: Path) -> None:
    run_sqlite(source, 'DROP TABLE "Village"')
    plant(source, "User", 2, currentVillageId="Village-1")
    assert orphans(source, ["User"]) == {("User", "currentVillageId", 2)}


def test_a_parent_without_its_key_in_sqlite_is_asked_all_the_same(tmp_path: Path) -> None:
    source = write_database(tmp_path / "odyssey.db", rows=3)
    (bare_user,) = create_table_sql("User", is_bare=True)
    run_sqlite(source, 'CREATE TABLE kept AS SELECT * FROM "User"', 'DROP TABLE "User"', bare_user,
               'INSERT INTO "User" SELECT * FROM kept', "DROP TABLE kept")  # fmt: skip
    assert examine(source).findings == ()
    plant(source, "Vote", 2, userId="nowhere")
    assert told(examine(source, ["Vote"]).findings) == {("error", "orphan", "Vote", "userId", (("id", "Vote-1"),))}


@pytest.mark.parametrize(("table", "columns"), UNIQUES)
def test_duplicates_under_any_unique_index_are_all_named(bare: Path, table: str, columns: list[str]) -> None:
    names = ", ".join(f'"{column}" = (SELECT "{column}" FROM "{table}" WHERE rowid = 1)' for column in columns)
    run_sqlite(bare, f'UPDATE "{table}" SET {names} WHERE rowid = 3')
    found = [each for each in examine(bare, [table]).objections if each.kind == "duplicate"]
    assert (table, ", ".join(columns), [1, 3]) in [(each.table, each.column, each.rowids.tolist()) for each in found]
    assert {rowid for each in found for rowid in each.rowids.tolist()} == {1, 3}


def test_nulls_are_no_duplicates_of_each_other_and_half_a_key_is_no_duplicate(bare: Path) -> None:
    plant(bare, "User", 1, employeeId=None)
    plant(bare, "User", 2, employeeId=None)
    plant(bare, "Vote", 2, userId="User-0")
    assert [each for each in examine(bare, ["User", "Vote"]).objections if each.kind == "duplicate"] == []


def held(**rowids: list[int]) -> dict[str, Rowids]:
    import numpy as np

    return {name: np.array(each, dtype=np.int64) for name, each in rowids.items()}


def descendants(source: Path, rows: dict[str, Rowids]) -> set[tuple[str, str | None, int]]:
    from odyssey_assets.compare.pairing import pair
    from odyssey_assets.source.inspection import inspect_source
    from odyssey_assets.target.catalog_to_be import catalog_to_be

    target = catalog_to_be("public", 5)
    tables = {table.name: table for table in pair(inspect_source(source), target).tables}
    with open_snapshot(source) as connection:
        found = children_of_held_rows(connection, target, tables, rows)
    assert all(each.is_consequence and each.kind == "held_back_parent" for each in found)
    return {(each.table, each.column, rowid) for each in found for rowid in each.rowids.tolist()}


def test_rows_follow_their_parents_over_any_number_of_steps(source: Path) -> None:
    found = descendants(source, held(Village=[2]))
    assert found == set()
    plant(source, "User", 2, currentVillageId="Village-1")
    found = descendants(source, held(Village=[2]))
    assert {("User", "currentVillageId", 2), ("Feedback", "authorId", 2), ("_FeedbackToRoadmapItem", "A", 2)} <= found
    assert {"PanelMembership", "QuestionnaireResponse", "_PanelToQuestionnaire"} <= {table for table, _, _ in found}
    assert {rowid for _, _, rowid in found} == {2}


def test_a_ring_of_rows_follows_as_a_whole_and_ends(source: Path) -> None:
    plant(source, "Feedback", 1, duplicateOfId="Feedback-1")
    plant(source, "Feedback", 2, duplicateOfId="Feedback-2")
    plant(source, "Feedback", 3, duplicateOfId="Feedback-0")
    found = descendants(source, held(Feedback=[1]))
    assert {rowid for table, _, rowid in found if table == "Feedback"} == {2, 3}
    assert {rowid for table, _, rowid in found if table == "Vote"} == {1, 2, 3}
