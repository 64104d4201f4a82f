"""A run that publishes nothing copies the file only where the snapshot last published is not the file any more."""

from collections.abc import Callable
from pathlib import Path

import pytest

from odyssey_assets.errors import IntegrityError
from odyssey_assets.sync.outcome import Outcome
from odyssey_assets.sync.run import run
from odyssey_assets_tests.statements import ask_postgres, run_postgres, run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun
from odyssey_assets_tests.sync.older_bookkeeping import bring_back
from odyssey_assets_tests.sync.ordinary_role import as_role
from odyssey_assets_tests.sync.requests import failures, verification

RENAME = """UPDATE "Village" SET "name" = 'renamed' WHERE "id" = 'Village-1'"""


def verified(pair: DualRun) -> Outcome:
    return run(verification(pair.folder, pair.source, as_role(pair.uri)))


def copies(pair: DualRun) -> set[str]:
    return {path.name for path in (pair.folder / "snapshots").iterdir()}


def published(pair: DualRun) -> Path:
    ((identity,),) = ask_postgres(pair.uri, "SELECT snapshot_id FROM odyssey_sync.publication ORDER BY id DESC LIMIT 1")
    return pair.folder / "snapshots" / f"snapshot-{identity}.db"


def test_an_unchanged_file_is_not_copied(pair: DualRun) -> None:
    before = copies(pair)
    outcome = verified(pair)
    assert (outcome.problem, outcome.snapshot.path) == (None, published(pair))
    assert {table.rows_behind for table in outcome.tables} == {0}
    assert copies(pair) == before


def test_a_changed_file_is_and_the_lag_is_told(pair: DualRun) -> None:
    pair.change(RENAME)
    before = copies(pair)
    outcome = verified(pair)
    assert (outcome.problem, len(copies(pair) - before)) == (None, 1)
    assert {table.name: table.rows_behind for table in outcome.tables if table.rows_behind} == {"Village": 1}


def in_both(place: int) -> Callable[[DualRun], None]:
    """The same byte changed in the file and in the published snapshot, so that only its digest can tell."""

    def spoil(pair: DualRun) -> None:
        for path in (pair.source, published(pair)):
            content = bytearray(path.read_bytes())
            content[place] ^= 1
            path.write_bytes(content)

    return spoil


def test_a_snapshot_that_is_not_what_was_published_stands_for_nothing(pair: DualRun) -> None:
    found = published(pair).read_bytes().index(b"Village-1")
    in_both(found + len("Village-"))(pair)
    outcome = verified(pair)
    assert outcome.snapshot.path != published(pair)
    # It cannot answer what was published either, so the ledger's digest does.
    assert {check.detail for table in outcome.tables for check in table.checks if check.name == "rows_equal"} != set()
    assert all("by PostgreSQL's digest" in check.detail for table in outcome.tables for check in table.checks
               if check.name == "rows_equal")  # fmt: skip


def test_what_somebody_changed_in_postgresql_is_found_all_the_same(pair: DualRun) -> None:
    run_postgres(pair.uri, """UPDATE "Badge" SET "name" = 'by somebody' WHERE "id" = 'Badge-2'""")
    outcome = verified(pair)
    assert outcome.snapshot.path == published(pair)
    assert failures(outcome).keys() == {("Badge", "rows_equal")}


def test_sqlite_is_asked_once_whether_a_snapshot_is_sound(pair: DualRun, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr("odyssey_assets.sync.run.require_sound", asked.append)
    assert verified(pair).ok
    assert asked == []
    pair.change(RENAME)
    assert verified(pair).ok
    assert len(asked) == 1
    # Nobody looked at every page for a sync of one row.
    pair.converge()
    assert verified(pair).ok
    assert asked[1:] == [published(pair)]


def test_a_ledger_that_does_not_say_so_leads_to_asking(pair: DualRun, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr("odyssey_assets.sync.run.require_sound", asked.append)
    bring_back(pair.uri, 5)
    assert verified(pair).ok
    assert asked == [published(pair)]


def test_damage_that_came_with_a_sync_of_few_rows_is_told(pair: DualRun) -> None:
    """A freed page that the free list does not name: no row is concerned, and only SQLite's own check sees it."""
    run_sqlite(pair.source, 'CREATE TABLE "ballast" ("text" TEXT)')
    run_sqlite(pair.source, """INSERT INTO "ballast" VALUES (hex(zeroblob(20000)))""")
    run_sqlite(pair.source, 'DROP TABLE "ballast"')
    content = bytearray(pair.source.read_bytes())
    # Where the header says the list of free pages begins, and how many there are.
    content[32:40] = bytes(8)
    pair.source.write_bytes(content)
    pair.change(RENAME)
    pair.converge()
    with pytest.raises(IntegrityError, match="damaged"):
        verified(pair)
