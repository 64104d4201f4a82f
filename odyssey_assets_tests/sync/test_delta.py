"""The quick way of a sync: taken where it is safe and nowhere else, and with the same result as reading everything."""

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyarrow import RecordBatch

from odyssey_assets.compare.keyed import KeyedDifferences, compare_by_key
from odyssey_assets.errors import OdysseyError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.sync import delta
from odyssey_assets.sync.outcome import Outcome, Policy
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.statements import ask_postgres, ask_sqlite, run_postgres, run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun, Template, copied
from odyssey_assets_tests.sync.requests import ALL_TABLES

RENAME = """UPDATE "Village" SET "name" = 'renamed' WHERE "id" = 'Village-1'"""
VILLAGE = frozenset({"Village"})
FEW = frozenset({"Village", "Badge", "User"})
NOTHING: frozenset[str] = frozenset()
SEEDS = int(os.environ.get("ODYSSEY_TEST_SEEDS", "1"))


@pytest.fixture
def pair(pair: DualRun) -> DualRun:
    """Synced in a few tables, where a test is not about all of them."""
    return replace(pair, tables=FEW)


def read_in_full(outcome: Outcome) -> frozenset[str]:
    """The tables whose verdict rests on nothing but all of their rows."""
    assert all(table.comparison for table in outcome.tables)
    return frozenset(table.name for table in outcome.tables if table.comparison and not table.comparison.basis)


def published_snapshot(pair: DualRun) -> Path:
    ((identity,),) = ask_postgres(pair.uri, "SELECT snapshot_id FROM odyssey_sync.publication ORDER BY id DESC LIMIT 1")
    return pair.folder / "snapshots" / f"snapshot-{identity}.db"


def cut_short(pair: DualRun) -> None:
    snapshot = published_snapshot(pair)
    snapshot.write_bytes(snapshot.read_bytes()[:-4096])


def damaged(first_byte: int) -> Callable[[DualRun], None]:
    """Zeros from there on, to the end of the page; the file is as long as it was."""

    def damage(pair: DualRun) -> None:
        snapshot = published_snapshot(pair)
        content = bytearray(snapshot.read_bytes())
        length = 4096 - first_byte % 4096
        content[first_byte : first_byte + length] = bytes(length)
        snapshot.write_bytes(content)

    return damage


def table_damaged(pair: DualRun) -> None:
    ((page,),) = ask_sqlite(pair.source, "SELECT rootpage FROM sqlite_schema WHERE name = 'Village'")
    damaged((page - 1) * 4096)(pair)


def in_ledger(assignment: str) -> Callable[[DualRun], None]:
    statement = f"UPDATE odyssey_sync.published_table SET {assignment} WHERE table_name = 'Village'"
    return lambda pair: run_postgres(pair.uri, statement)


def in_postgres(statement: str) -> Callable[[DualRun], None]:
    return lambda pair: run_postgres(pair.uri, statement)


def in_sqlite(*statements: str) -> Callable[[DualRun], None]:
    return lambda pair: run_sqlite(pair.source, *statements)


def test_a_change_is_found_on_its_pages_and_nothing_else_is_read(pair: DualRun) -> None:
    pair.change(RENAME)
    outcome = pair.sync(publish=ALL_TABLES)
    assert (outcome.problem, pair.differences()) == (None, [])
    assert read_in_full(outcome) == NOTHING
    bases = {table.name: table.comparison.basis for table in outcome.tables if table.comparison}
    assert bases.pop("Village").startswith("4 rows on changed pages read")
    assert all(basis.startswith("pages and digest unchanged since publication") for basis in bases.values())


REDEFINITION = (
    """CREATE TABLE "new" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL DEFAULT '',
        "createdAt" DATETIME NOT NULL, "updatedAt" DATETIME NOT NULL)""",
    'INSERT INTO "new" SELECT "id", "name", "createdAt", "updatedAt" FROM "Village"',
    'DROP TABLE "Village"',
    'ALTER TABLE "new" RENAME TO "Village"',
)
"""As Prisma changes a table."""

WAYS_TO_FULL: dict[str, tuple[Callable[[DualRun], None], frozenset[str]]] = {
    "no entry in the ledger": (
        in_postgres("DELETE FROM odyssey_sync.published_table WHERE table_name = 'Village'"), VILLAGE),
    "no ledger": (in_postgres("TRUNCATE odyssey_sync.publication, odyssey_sync.published_table"), FEW),
    "another server version": (in_ledger("server_version = 140000"), VILLAGE),
    "another digest": (in_ledger("digest_algorithm = 'other'"), VILLAGE),
    "other columns": (in_ledger("""column_names = '["id"]'"""), VILLAGE),
    "rows were held back": (in_ledger("held_rows = 1"), VILLAGE),
    "a tampered target": (in_postgres("""UPDATE "Village" SET "name" = 'x' WHERE "id" = 'Village-2'"""), VILLAGE),
    "the snapshot is gone": (DualRun.forget_snapshots, FEW),
    "the snapshot is cut short": (cut_short, FEW),
    "the snapshot's schema is damaged": (damaged(100), FEW),
    "the snapshot's rows are damaged": (table_damaged, VILLAGE),
    "another page size": (in_sqlite("PRAGMA page_size = 8192", "VACUUM"), FEW),
    "another schema": (in_sqlite(*REDEFINITION), FEW),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS_TO_FULL)
def test_where_the_quick_way_is_not_safe_tables_are_read_in_full(pair: DualRun, name: str) -> None:
    obstacle, expected = WAYS_TO_FULL[name]
    pair.change(RENAME)
    obstacle(pair)
    outcome = pair.sync()
    assert (outcome.problem, pair.differences()) == (None, [])
    assert read_in_full(outcome) == expected
    assert read_in_full(pair.sync()) == NOTHING


def test_where_too_many_rows_are_concerned_the_table_is_read_in_full(
    pair: DualRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "LARGEST_DELTA_ROWS", 3)
    pair.change(RENAME)
    outcome = pair.sync()
    assert (outcome.problem, read_in_full(outcome), pair.differences()) == (None, VILLAGE, [])


def overlooking(real: Callable[..., KeyedDifferences]) -> Callable[..., KeyedDifferences]:
    """A comparison that is shown the old rows only."""

    def compare(table: CarriedTable, new: object, old: Iterator[RecordBatch], *rest: Any, **options: Any) -> Any:
        batches = list(old)
        return real(table, iter(batches), iter(batches), *rest, **options)

    return compare


def test_a_change_that_was_overlooked_is_noticed_by_the_digests_and_the_table_read_in_full(
    pair: DualRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "compare_by_key", overlooking(compare_by_key))
    pair.change(RENAME)
    outcome = pair.sync()
    assert (outcome.problem, read_in_full(outcome), pair.differences()) == (None, VILLAGE, [])


ORPHAN = """UPDATE "User" SET "currentVillageId" = 'nowhere' WHERE "id" = 'User-1'"""
PARENT_GONE = """DELETE FROM "Village" WHERE "id" = 'Village-1'"""
MISFIT = """UPDATE "Badge" SET "points" = 'many' WHERE "id" = 'Badge-1'"""


@pytest.mark.parametrize(("statement", "named"), [(ORPHAN, "User"), (PARENT_GONE, "User"), (MISFIT, "Badge")])
def test_a_changed_row_that_cannot_be_carried_is_named_and_nothing_changes(
    pair: DualRun, statement: str, named: str
) -> None:
    pair = replace(pair, tables=ALL_TABLES)  # a row that leaves takes others along
    before = dump(pair.uri)
    run_sqlite(pair.source, statement)
    with pytest.raises(OdysseyError, match=named):
        pair.sync()
    assert dump(pair.uri) == before


@pytest.mark.parametrize("statement", [ORPHAN, MISFIT])
def test_held_back_rows_are_held_back_again_and_return_when_they_are_mended(pair: DualRun, statement: str) -> None:
    pair = replace(pair, tables=ALL_TABLES)  # a row that is held back takes others along
    mended = pair.source.read_bytes()
    run_sqlite(pair.source, statement)
    for _ in range(2):
        outcome = pair.sync(policy=Policy.QUARANTINE)
        assert outcome.problem is None
        assert sum(table.quarantined for table in outcome.tables) >= 1
    pair.source.write_bytes(mended)
    pair.converge(policy=Policy.QUARANTINE)
    assert ask_postgres(pair.uri, "SELECT count(*) FROM odyssey_sync.quarantine") == [(0,)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_quick_way_ends_where_reading_everything_ends(template: Template, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    folders = [tmp_path / "quick", tmp_path / "full"]
    for folder in folders:
        folder.mkdir()
    with copied(template, folders[0]) as quick, copied(template, folders[1]) as full:
        for _ in range(3):
            quick.change("PRAGMA journal_mode", *edits(chance))
            full.source.write_bytes(quick.source.read_bytes())
            full.forget_snapshots()
            outcomes = [each.sync(allowed_deletes={"Village": 10_000}) for each in (quick, full)]
            assert [outcome.problem for outcome in outcomes] == [None, None]
            assert (read_in_full(outcomes[0]), read_in_full(outcomes[1])) == (NOTHING, ALL_TABLES)
            assert summary(outcomes[0]) == summary(outcomes[1])
        assert quick.differences() == full.differences() == []


def summary(outcome: Outcome) -> list[tuple[object, ...]]:
    return [
        (table.name, table.status, table.source_rows, table.target_rows, table.inserted, table.updated, table.deleted,
         table.comparison.source_digest, table.comparison.source_nulls, [check.passed for check in table.checks])
        for table in outcome.tables if table.comparison
    ]  # fmt: skip


def edits(chance: random.Random) -> list[str]:
    """Many villages with texts of none to several pages, ranges of them deleted, and ids that come back."""
    first, texts = chance.randrange(10, 400), ["''", "'short'", f"'{'long' * chance.choice([50, 800, 4_000])}'"]
    new = ", ".join(f"('Village-{n}', {chance.choice(texts)}, 1, 2)" for n in range(first, first + 150))
    return [
        f'INSERT OR REPLACE INTO "Village" ("id", "name", "createdAt", "updatedAt") VALUES {new}',
        f"""DELETE FROM "Village" WHERE rowid BETWEEN {chance.randrange(5, 60)} AND {chance.randrange(60, 130)}""",
        f"""UPDATE "Village" SET "name" = {chance.choice(texts)} WHERE rowid % {chance.randrange(2, 50)} = 1""",
        """UPDATE "Badge" SET "iconUrl" = CASE WHEN "iconUrl" IS NULL THEN 'there' END WHERE "id" < 'Badge-2'""",
    ]


@pytest.mark.parametrize("secure_delete", ["ON", "OFF"])
def test_whole_pages_of_rows_that_went_are_deleted(pair: DualRun, secure_delete: str) -> None:
    rows = ", ".join(f"('v{n}', '{'x' * 300}', 1, 2)" for n in range(400))
    pair.change(f'INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt") VALUES {rows}')
    pair.converge()
    run_sqlite(pair.source, f"PRAGMA secure_delete = {secure_delete}",
               """DELETE FROM "Village" WHERE "id" LIKE 'v1__' OR "id" LIKE 'v2__'""")  # fmt: skip
    outcome = pair.sync(allowed_deletes={"Village": 200})
    assert (outcome.problem, read_in_full(outcome), pair.differences()) == (None, NOTHING, [])


def test_a_vacuumed_source_changes_nothing(pair: DualRun) -> None:
    run_sqlite(pair.source, "PRAGMA journal_mode = WAL")
    run_sqlite(pair.source, "VACUUM")
    assert pair.converge() == {}
