"""SQLite locked, written, checkpointed, vacuumed or restored while a sync reads it, and clocks that jump."""

import os
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from odyssey_assets.errors import OdysseyError, UnreachableError
from odyssey_assets.source import snapshot
from odyssey_assets.sync.outcome import TableStatus
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.statements import ask_postgres, run_postgres, run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun

SYNCS_UNDER_FIRE = int(os.environ.get("ODYSSEY_SYNCS_UNDER_FIRE", "5"))
RENAME = """UPDATE "Village" SET "name" = 'renamed' WHERE "id" = 'Village-1'"""
GROW = """INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt")
    SELECT 'v' || hex(randomblob(8)), hex(randomblob(400)), 1, 2"""
SHRINK = """DELETE FROM "Village" WHERE rowid = (SELECT max(rowid) FROM "Village" WHERE "id" GLOB 'v*')"""


@contextmanager
def going_on(action: Callable[[random.Random], None]) -> Iterator[None]:
    """Repeat an action in a thread of its own while the block runs."""
    is_over, chance = threading.Event(), random.Random(5)
    failures: list[BaseException] = []

    def repeat() -> None:
        while not is_over.is_set() and not failures:
            try:
                action(chance)
            except sqlite3.OperationalError as error:
                # The snapshot step may hold writers up for a moment, as it may the application.
                if "locked" not in str(error):
                    failures.append(error)
            except BaseException as error:  # noqa: BLE001
                failures.append(error)
            is_over.wait(0.01)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    assert failures == []


def test_a_lock_that_is_let_go_is_waited_for(pair: DualRun) -> None:
    with closing(sqlite3.connect(pair.source, isolation_level=None, check_same_thread=False)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute(RENAME)
        let_go = threading.Timer(0.5, holder.execute, ["COMMIT"])
        let_go.start()
        assert pair.converge().keys() == {"Village"}
        let_go.join()


def test_a_lock_that_is_never_let_go_is_said_and_the_next_sync_converges(
    pair: DualRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "BUSY_TIMEOUT_SECONDS", 0.3)
    before = dump(pair.uri)
    with closing(sqlite3.connect(pair.source, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute(RENAME)
        with pytest.raises(UnreachableError, match="stayed locked"):
            pair.sync()
        holder.execute("COMMIT")
    assert dump(pair.uri) == before
    assert pair.converge().keys() == {"Village"}


def write_and_checkpoint(pair: DualRun) -> Callable[[random.Random], None]:
    def act(chance: random.Random) -> None:
        with closing(sqlite3.connect(pair.source, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(chance.choice([RENAME, GROW, GROW, SHRINK]))
            connection.execute(f"PRAGMA wal_checkpoint({chance.choice(['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'])})")

    return act


def vacuum(pair: DualRun) -> Callable[[random.Random], None]:
    def act(chance: random.Random) -> None:
        run_sqlite(pair.source, chance.choice([GROW, SHRINK]))
        run_sqlite(pair.source, "VACUUM")

    return act


def restore(pair: DualRun) -> Callable[[random.Random], None]:
    """Turn by turn an old backup and a newer one are moved over the live file."""
    backups = [pair.folder / f"backup-{number}.db" for number in range(2)]
    for backup in backups:
        shutil.copy(pair.source, backup)
    run_sqlite(backups[1], RENAME, *[GROW] * 30)

    def act(chance: random.Random) -> None:
        copy = Path(shutil.copy(chance.choice(backups), pair.folder / "restored.db"))
        copy.rename(pair.source)

    return act


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [write_and_checkpoint, vacuum, restore])
def test_a_source_that_changes_under_the_reader_gives_whole_snapshots(
    pair: DualRun, trouble: Callable[[DualRun], Callable[[random.Random], None]]
) -> None:
    done, refused = 0, []
    with going_on(trouble(pair)):
        while done + len(refused) < SYNCS_UNDER_FIRE:
            try:
                assert pair.sync(allowed_deletes={"Village": 1_000}).problem is None
                done += 1
            except OdysseyError as error:
                refused.append(str(error))
            time.sleep(0.02)
    assert done >= SYNCS_UNDER_FIRE / 2, refused
    pair.converge(allowed_deletes={"Village": 1_000})


def test_snapshots_of_the_future_are_in_nobodys_way(pair: DualRun) -> None:
    """As after a clock that was set back: older copies bear later names."""
    ((identity,),) = ask_postgres(pair.uri, "SELECT snapshot_id FROM odyssey_sync.publication")
    folder, future = pair.folder / "snapshots", f"2999{identity[4:]}"
    (folder / f"snapshot-{identity}.db").rename(folder / f"snapshot-{future}.db")
    run_postgres(pair.uri, f"UPDATE odyssey_sync.publication SET snapshot_id = '{future}', taken_at = '2999-01-01'")
    for number in range(6):
        (folder / f"snapshot-2998{number}{identity[5:]}.db").write_bytes(b"")
    pair.change(RENAME)
    outcome = pair.sync()
    assert (outcome.problem, pair.differences()) == (None, [])
    bases = {table.name: table.comparison.basis for table in outcome.tables if table.comparison}
    assert "rows on changed pages read" in bases["Village"]
    assert outcome.snapshot.path.exists()
    assert {table.status for table in pair.sync().tables} == {TableStatus.UNCHANGED}


def test_snapshots_of_the_past_are_not_removed_while_they_are_published(pair: DualRun) -> None:
    """As after a clock that was set forward: the newest copy bears the oldest name."""
    ((identity,),) = ask_postgres(pair.uri, "SELECT snapshot_id FROM odyssey_sync.publication")
    folder, past = pair.folder / "snapshots", f"1999{identity[4:]}"
    (folder / f"snapshot-{identity}.db").rename(folder / f"snapshot-{past}.db")
    run_postgres(pair.uri, f"UPDATE odyssey_sync.publication SET snapshot_id = '{past}', taken_at = '1999-01-01'")
    for _ in range(7):
        snapshot.take_snapshot(pair.source, folder, protected=[past])
    pair.change(RENAME)
    outcome = pair.sync()
    bases = [table.comparison.basis for table in outcome.tables if table.comparison]
    assert (outcome.problem, pair.differences(), all(bases)) == (None, [], True)
