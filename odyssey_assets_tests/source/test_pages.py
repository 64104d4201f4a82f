"""Whatever is done to a file, every row that differs between two snapshots is among those the pages name."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.source.pages import changed_rows
from odyssey_assets.source.snapshot import Snapshot, take_snapshot

ROWS = 400
STEPS = 12
Rows = dict[int, tuple[Any, ...]]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A table of many pages and one of few, as Prisma makes them; foreign content is not needed to have pages."""
    with closing(sqlite3.connect(tmp_path / "odyssey.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute('CREATE TABLE "Big" ("id" TEXT NOT NULL PRIMARY KEY, "text" TEXT)')
        connection.execute('CREATE TABLE "Small" ("id" TEXT NOT NULL PRIMARY KEY, "text" TEXT)')
        connection.execute("BEGIN")
        connection.executemany('INSERT INTO "Big" VALUES (?, ?)', [(f"big {n}", "x" * 150) for n in range(ROWS)])
        connection.executemany('INSERT INTO "Small" VALUES (?, ?)', [(f"small {n}", "y") for n in range(5)])
        connection.execute("COMMIT")
        yield connection


def snapshot(folder: Path) -> Snapshot:
    return take_snapshot(folder / "odyssey.db", folder / "snapshots", keep=1_000)


def rows_of(live: sqlite3.Connection, table: str) -> Rows:
    return {rowid: row for rowid, *row in live.execute(f'SELECT rowid, * FROM "{table}"')}  # type: ignore[misc]


def candidates(old: Snapshot, new: Snapshot) -> dict[str, set[int]]:
    found = changed_rows(old.path, new.path)
    assert found is not None
    return {table: set(map(int, rowids)) for table, rowids in found.rowids_by_table.items()}


def test_one_change_names_the_rows_of_its_page_and_of_no_other_table(tmp_path: Path, live: sqlite3.Connection) -> None:
    old = snapshot(tmp_path)
    live.execute("""UPDATE "Big" SET "text" = 'z' WHERE rowid = 200""")
    found = candidates(old, snapshot(tmp_path))
    assert found.keys() == {"Big"}
    assert 200 in found["Big"]
    assert len(found["Big"]) < ROWS / 5


def test_nothing_changed_names_nothing(tmp_path: Path, live: sqlite3.Connection) -> None:
    assert candidates(snapshot(tmp_path), snapshot(tmp_path)) == {}


@pytest.mark.parametrize("secure_delete", ["ON", "OFF", "FAST"])
@pytest.mark.parametrize("rows", ["1", "rowid BETWEEN 100 AND 300", "rowid > 150", "rowid < 250", "rowid = 200"])
def test_rows_on_pages_that_were_freed_are_named(
    tmp_path: Path, live: sqlite3.Connection, secure_delete: str, rows: str
) -> None:
    old, before = snapshot(tmp_path), rows_of(live, "Big")
    live.execute(f"PRAGMA secure_delete = {secure_delete}")
    live.execute(f'DELETE FROM "Big" WHERE {rows}')
    gone = before.keys() - rows_of(live, "Big").keys()
    assert gone
    assert gone <= candidates(old, snapshot(tmp_path))["Big"]


@pytest.mark.parametrize("seed", range(6))
def test_every_row_that_differs_is_named(tmp_path: Path, live: sqlite3.Connection, seed: int) -> None:
    chance = random.Random(seed)
    live.execute(f"PRAGMA journal_mode = {chance.choice(['WAL', 'DELETE'])}")
    live.execute(f"PRAGMA secure_delete = {chance.choice(['ON', 'OFF', 'FAST'])}")
    old, before = snapshot(tmp_path), rows_of(live, "Big")
    for _ in range(STEPS):
        for _ in range(chance.randrange(1, 5)):
            edit(chance, live)
        new, after = snapshot(tmp_path), rows_of(live, "Big")
        differs = {rowid for rowid in before.keys() | after.keys() if before.get(rowid) != after.get(rowid)}
        assert differs <= candidates(old, new).get("Big", set())
        old, before = new, after


def edit(chance: random.Random, live: sqlite3.Connection) -> None:
    """Texts from none to several overflow pages; rowids come back; keys move to other rows; whole ranges go."""
    rowids = [rowid for (rowid,) in live.execute('SELECT rowid FROM "Big"')]
    text = chance.choice(["", "x", "y" * 150]) + chance.choice("abc") * chance.choice([0, 0, 3_000, 20_000])
    first = chance.choice([*rowids, 1])
    match chance.randrange(6):
        case 0:
            live.execute('UPDATE "Big" SET "text" = ? WHERE rowid = ?', (text, first))
        case 1:
            live.execute('DELETE FROM "Big" WHERE rowid BETWEEN ? AND ?', (first, first + chance.choice([0, 1, 90])))
        case 2:
            live.execute('INSERT OR REPLACE INTO "Big" VALUES (?, ?)', (f"big {chance.randrange(ROWS)}", text))
        case 3:
            live.executemany('INSERT OR IGNORE INTO "Big" (rowid, "id", "text") VALUES (?, ?, ?)',
                             [(first + n, f"new {chance.random()}", text[:200]) for n in range(60)])  # fmt: skip
        case 4:
            live.execute('UPDATE OR IGNORE "Big" SET rowid = rowid + 1000 WHERE rowid = ?', (first,))
        case 5:
            live.execute("""UPDATE "Small" SET "text" = "text" || 'y'""")


@pytest.mark.parametrize("rowid", [-(2**63), -1, 0, 127, 128, 2**31, 2**56, 2**63 - 1])
def test_rowids_of_every_length_are_read(tmp_path: Path, live: sqlite3.Connection, rowid: int) -> None:
    old = snapshot(tmp_path)
    live.execute('INSERT OR REPLACE INTO "Small" (rowid, "id") VALUES (?, ?)', (rowid, "far"))
    assert rowid in candidates(old, snapshot(tmp_path))["Small"]


@pytest.mark.parametrize("page_bytes", [512, 65_536])
def test_every_page_size_is_understood(tmp_path: Path, live: sqlite3.Connection, page_bytes: int) -> None:
    live.execute(f"PRAGMA page_size = {page_bytes}")
    live.execute("VACUUM")
    old = snapshot(tmp_path)
    live.execute("""UPDATE "Big" SET "text" = 'z' WHERE rowid = 200""")
    assert 200 in candidates(old, snapshot(tmp_path))["Big"]


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(("PRAGMA page_size = 8192", "VACUUM"), id="page size"),
        pytest.param(('ALTER TABLE "Big" RENAME COLUMN "text" TO "other"',), id="definition"),
    ],
)
def test_pages_that_cannot_be_compared_are_not(
    tmp_path: Path, live: sqlite3.Connection, statements: tuple[str, ...]
) -> None:
    old = snapshot(tmp_path)
    for statement in statements:
        live.execute(statement)
    assert changed_rows(old.path, snapshot(tmp_path).path) is None


def test_rows_that_a_vacuum_moved_are_named(tmp_path: Path, live: sqlite3.Connection) -> None:
    live.execute('DELETE FROM "Big" WHERE rowid % 7 = 0')
    live.execute('CREATE INDEX "later" ON "Small" ("text")')
    old, before = snapshot(tmp_path), rows_of(live, "Big")
    live.execute("VACUUM")
    new, after = snapshot(tmp_path), rows_of(live, "Big")
    differs = {rowid for rowid in before.keys() | after.keys() if before.get(rowid) != after.get(rowid)}
    found = changed_rows(old.path, new.path)
    assert found is None or differs <= candidates(old, new)["Big"]


def test_a_damaged_snapshot_is_not_compared(tmp_path: Path, live: sqlite3.Connection) -> None:
    old = snapshot(tmp_path)
    damaged = bytearray(old.path.read_bytes())
    damaged[100:4096] = bytes(3996)
    old.path.write_bytes(damaged)
    assert changed_rows(old.path, snapshot(tmp_path).path) is None
