"""A snapshot is one consistent copy of a file that others go on writing, and the file never notices.

Belongs here: copying, keeping, refusing. Does not belong here: whether the content is sound (``test_soundness``).
"""

import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from odyssey_assets.source.snapshot import Snapshot, open_snapshot, read_only_uri, take_snapshot
from odyssey_assets.source.soundness import quick_check
from odyssey_assets_tests.source.conftest import Files
from odyssey_assets_tests.source.writers import other_process, simple_file


def rows_of(snapshot: Snapshot) -> list[tuple[object, ...]]:
    with open_snapshot(snapshot.path) as connection:
        return connection.execute("SELECT * FROM T").fetchall()


def test_a_snapshot_is_described_and_closed_to_others(files: Files, tmp_path: Path) -> None:
    path = simple_file(files)
    folder = tmp_path / "state" / "snapshots"
    before = datetime.now(UTC)
    mask = os.umask(0)
    try:
        snapshot = take_snapshot(path, folder)
    finally:
        os.umask(mask)
    assert rows_of(snapshot) == [(1,)]
    assert before <= snapshot.taken_at <= datetime.now(UTC)
    assert snapshot.path == folder / f"snapshot-{snapshot.id}.db"
    assert re.fullmatch(r"\d{8}T\d{12}Z-[0-9a-f]{6}", snapshot.id)
    assert snapshot.sha256 == hashlib.sha256(snapshot.path.read_bytes()).hexdigest()
    assert snapshot.bytes == len(snapshot.path.read_bytes())
    assert (folder.stat().st_mode & 0o777, snapshot.path.stat().st_mode & 0o777) == (0o700, 0o600)
    assert list(folder.iterdir()) == [snapshot.path]


def test_a_folder_that_was_open_to_others_is_closed(files: Files, tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    folder.mkdir(mode=0o755)
    take_snapshot(simple_file(files), folder)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_the_source_keeps_its_bytes_and_its_time(files: Files, tmp_path: Path, journal: str) -> None:
    path = simple_file(files, f"PRAGMA journal_mode = {journal}")
    path.chmod(0o444)
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode, path.stat().st_ino)
    assert rows_of(take_snapshot(path, tmp_path / "snapshots")) == [(1,)]
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode, path.stat().st_ino) == before
    if journal == "delete":
        assert sorted(tmp_path.iterdir()) == [path, tmp_path / "snapshots"]


def test_rows_that_stand_only_in_the_wal_are_included(files: Files, tmp_path: Path) -> None:
    path = simple_file(files)
    script = (
        "c.execute('PRAGMA journal_mode = WAL'); c.execute('PRAGMA wal_autocheckpoint = 0')\n"
        "c.executemany('INSERT INTO T VALUES (?)', [(i,) for i in range(2, 52)])\n"
        "c.execute('BEGIN'); c.execute('INSERT INTO T VALUES (99)')\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with other_process(path, script):
        copied = tmp_path / "copied.db"
        shutil.copy(path, copied)
        snapshot = take_snapshot(path, tmp_path / "snapshots")
    assert rows_of(snapshot) == [(number,) for number in range(1, 52)]
    with closing(sqlite3.connect(copied)) as connection:
        assert connection.execute("SELECT count(*) FROM T").fetchone() == (1,)


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_writer_at_work_never_shows_half_a_change(files: Files, tmp_path: Path, journal: str) -> None:
    path = files.with_statements(
        f"PRAGMA journal_mode = {journal}",
        "CREATE TABLE T (i INTEGER, filler TEXT)",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
        "INSERT INTO T SELECT 0, hex(zeroblob(1000)) FROM n",
    )
    script = (
        "c.execute('PRAGMA busy_timeout = 5000'); c.execute('PRAGMA synchronous = OFF')\n"
        "for round in range(1, 100_000):\n"
        "    c.execute('UPDATE T SET i = ?', (round,))\n"
        "    if round == 1: print('ready', flush=True)\n"
        "    time.sleep(0.001)"
    )
    with other_process(path, script):
        seen = []
        for _ in range(8):
            snapshot = take_snapshot(path, tmp_path / "snapshots")
            assert quick_check(snapshot.path) == ()
            values = {row[0] for row in rows_of(snapshot)}
            assert len(values) == 1
            seen.extend(values)
            time.sleep(0.01)
    assert seen == sorted(seen)
    assert len(set(seen)) > 1


def test_a_lock_that_is_let_go_in_time_is_waited_for(files: Files, tmp_path: Path) -> None:
    path = simple_file(files)
    script = (
        "c.execute('BEGIN EXCLUSIVE'); c.execute('INSERT INTO T VALUES (2)')\n"
        "print('ready', flush=True); time.sleep(0.3); c.execute('COMMIT')"
    )
    with other_process(path, script):
        assert rows_of(take_snapshot(path, tmp_path / "snapshots")) == [(1,), (2,)]


@pytest.mark.parametrize("page_bytes", [512, 1024, 65_536])
def test_every_page_size_is_copied(files: Files, tmp_path: Path, page_bytes: int) -> None:
    path = files.with_statements(f"PRAGMA page_size = {page_bytes}", "CREATE TABLE T (i)", "INSERT INTO T VALUES (1)")
    assert rows_of(take_snapshot(path, tmp_path / "snapshots")) == [(1,)]


def test_the_newest_few_are_kept_and_other_files_left_alone(files: Files, tmp_path: Path) -> None:
    path, folder = simple_file(files), tmp_path / "snapshots"
    folder.mkdir()
    others = [folder / "notes.txt", folder / "snapshot-by-hand.db", folder / "snapshot-20251010T090000000000Z.db"]
    for other in others:
        other.write_text("mine")
    taken = [take_snapshot(path, folder, keep=3).path for _ in range(6)]
    assert sorted(folder.iterdir()) == sorted([*taken[-3:], *others])


@pytest.mark.parametrize("keep", [1, 0])
def test_the_new_snapshot_stays_even_if_the_clock_was_set_back(files: Files, tmp_path: Path, keep: int) -> None:
    path, folder = simple_file(files), tmp_path / "snapshots"
    from_the_future = folder / "snapshot-99991231T235959999999Z-ffffff.db"
    folder.mkdir()
    from_the_future.write_text("")
    snapshot = take_snapshot(path, folder, keep=keep)
    assert list(folder.iterdir()) == [snapshot.path]


def test_copies_of_killed_processes_are_removed_and_those_of_living_ones_kept(files: Files, tmp_path: Path) -> None:
    path, folder = simple_file(files), tmp_path / "snapshots"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    names = [
        f".partial-{ended.pid}-aaaaaaaa.db",
        f".partial-{ended.pid}-aaaaaaaa.db-journal",
        ".partial-nonsense.db",
        f".partial-{os.getppid()}-bbbbbbbb.db",
        ".partial-1-cccccccc.db",
    ]
    for name in names:
        (folder / name).write_text("half")
    snapshot = take_snapshot(path, folder)
    assert sorted(each.name for each in folder.iterdir()) == sorted([*names[3:], snapshot.path.name])


def test_a_killed_copy_leaves_nothing_that_counts_as_a_snapshot(files: Files, tmp_path: Path) -> None:
    path, folder = simple_file(files), tmp_path / "snapshots"
    script = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from odyssey_assets.source import snapshot\n"
        "snapshot.file_sha256 = lambda path: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"snapshot.take_snapshot(Path({str(path)!r}), Path({str(folder)!r}))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    (left,) = folder.iterdir()
    assert left.name.startswith(".partial-")
    snapshot = take_snapshot(path, folder)
    assert list(folder.iterdir()) == [snapshot.path]


@pytest.mark.parametrize("immutable", [False, True])
def test_a_read_only_uri_neither_creates_nor_writes(tmp_path: Path, immutable: bool) -> None:
    uri = read_only_uri(tmp_path / "a b?#%.db", immutable=immutable)
    with (
        pytest.raises(sqlite3.OperationalError, match="unable to open"),
        closing(sqlite3.connect(uri, uri=True)) as none,
    ):
        none.execute("SELECT 1")
    path = simple_file(Files(tmp_path))
    with closing(sqlite3.connect(read_only_uri(path, immutable=immutable), uri=True)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("INSERT INTO T VALUES (2)")
        connection.rollback()


def test_text_that_is_not_utf_8_is_read_without_an_error(files: Files) -> None:
    path = files.with_statements("CREATE TABLE T (t TEXT)", "INSERT INTO T VALUES (CAST(x'61ff' AS TEXT))")
    with open_snapshot(path) as connection:
        ((text,),) = connection.execute("SELECT t FROM T").fetchall()
    assert text.encode("utf-8", "surrogateescape") == b"a\xff"
