"""A live file is told to be unchanged only where every page of it is the snapshot's."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.source.pages import different_pages
from odyssey_assets.source.snapshot import take_snapshot
from odyssey_assets.source.unchanged import is_unchanged

ROWS = 24_000


@pytest.fixture
def live(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """More than is compared in one step."""
    with closing(sqlite3.connect(tmp_path / "odyssey.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute('CREATE TABLE "T" ("id" INTEGER PRIMARY KEY, "text" TEXT)')
        connection.execute("BEGIN")
        connection.executemany('INSERT INTO "T" ("text") VALUES (?)', [("x" * 400,)] * ROWS)
        connection.execute("COMMIT")
        yield connection


@pytest.fixture
def kept(tmp_path: Path, live: sqlite3.Connection) -> Path:
    assert live is not None
    return take_snapshot(tmp_path / "odyssey.db", tmp_path / "snapshots").path


def test_the_live_file_is_the_same_until_something_is_written(
    tmp_path: Path, live: sqlite3.Connection, kept: Path
) -> None:
    path = tmp_path / "odyssey.db"
    assert is_unchanged(path, kept)
    live.execute("""UPDATE "T" SET "text" = 'z' WHERE "id" = 1""")
    assert not is_unchanged(path, kept)
    live.execute(f"""UPDATE "T" SET "text" = '{"x" * 400}' WHERE "id" = 1""")
    # Only the counters in the header have moved.
    assert is_unchanged(path, kept)
    live.execute('CREATE TABLE "Later" ("id" TEXT)')
    assert not is_unchanged(path, kept)


@pytest.mark.parametrize("row", [1, ROWS // 2, ROWS])
def test_one_letter_of_the_same_length_is_seen_wherever_it_is(
    tmp_path: Path, live: sqlite3.Connection, kept: Path, row: int
) -> None:
    live.execute(f"""UPDATE "T" SET "text" = '{"x" * 399}y' WHERE "id" = {row}""")
    assert (tmp_path / "odyssey.db").stat().st_size == kept.stat().st_size
    assert not is_unchanged(tmp_path / "odyssey.db", kept)


def test_what_is_in_the_write_ahead_log_alone_counts(tmp_path: Path, live: sqlite3.Connection, kept: Path) -> None:
    live.execute("PRAGMA journal_mode = WAL")
    live.execute("PRAGMA wal_autocheckpoint = 0")
    assert is_unchanged(tmp_path / "odyssey.db", kept)
    live.execute("""UPDATE "T" SET "text" = 'z' WHERE "id" = 1""")
    assert not is_unchanged(tmp_path / "odyssey.db", kept)


_COMMIT = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("UPDATE T SET text = 'z' WHERE id = 1")
"""


def test_a_commit_while_pages_are_compared_counts(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from another process, to a page that was looked at already."""

    def looked_at_before_the_commit(*files: Any) -> Iterator[Any]:
        yield from different_pages(*files)
        subprocess.run([sys.executable, "-c", _COMMIT, tmp_path / "odyssey.db"], check=True)

    monkeypatch.setattr("odyssey_assets.source.unchanged.different_pages", looked_at_before_the_commit)
    assert not is_unchanged(tmp_path / "odyssey.db", kept)


def test_a_locked_file_and_a_missing_one_prove_nothing(tmp_path: Path, live: sqlite3.Connection, kept: Path) -> None:
    live.execute("BEGIN EXCLUSIVE")
    assert not is_unchanged(tmp_path / "odyssey.db", kept)
    live.execute("ROLLBACK")
    assert is_unchanged(tmp_path / "odyssey.db", kept)
    assert not is_unchanged(tmp_path / "gone.db", kept)
    kept.unlink()
    assert not is_unchanged(tmp_path / "odyssey.db", kept)


def test_a_file_that_was_cut_is_another(tmp_path: Path, live: sqlite3.Connection, kept: Path) -> None:
    live.close()
    path = tmp_path / "odyssey.db"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 512)
    assert not is_unchanged(path, kept)
