"""The sign moves on every commit, in either journal mode, and only then."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from odyssey_assets.source.fingerprint import fingerprint


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_commit_is_seen_and_reading_is_not(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "odyssey.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute('CREATE TABLE "Village" ("id" TEXT)')
        seen = fingerprint(path)
        connection.execute('SELECT * FROM "Village"').fetchall()
        assert fingerprint(path) == seen
        connection.execute("""INSERT INTO "Village" VALUES ('a')""")
        assert fingerprint(path) != seen


def test_a_file_replaced_by_a_restore_is_seen_also_with_an_older_time(tmp_path: Path) -> None:
    path, backup = tmp_path / "odyssey.db", tmp_path / "backup.db"
    path.write_bytes(b"x" * 10)
    backup.write_bytes(b"y" * 10)
    os.utime(backup, ns=(1, 1))
    seen = fingerprint(path)
    backup.rename(path)
    assert fingerprint(path) != seen


def test_a_missing_file_has_a_sign_too(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "odyssey.db") == "- -"
