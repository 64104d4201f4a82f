"""A file that cannot be copied whole is refused in one sentence, and nothing is created or left behind.

Belongs here: what is refused. Does not belong here: what a snapshot is (``test_snapshot``).
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from odyssey_assets.errors import (
    EXIT_INTEGRITY,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    ConfigurationError,
    IntegrityError,
    UnreachableError,
)
from odyssey_assets.source import snapshot as module
from odyssey_assets.source.snapshot import take_snapshot
from odyssey_assets_tests.conftest import open_folder
from odyssey_assets_tests.source.conftest import Files
from odyssey_assets_tests.source.writers import other_process, simple_file

NOBODY = 65_534


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Give up root's right to read everything, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_stays_locked_is_given_up_in_time(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_SECONDS", 0.3)
    path = simple_file(files)
    with other_process(path, "c.execute('BEGIN EXCLUSIVE'); print('ready', flush=True); sys.stdin.read()"):
        began = time.monotonic()
        with pytest.raises(UnreachableError, match=r"stayed locked by another process for 0\.3 s") as refusal:
            take_snapshot(path, tmp_path / "snapshots")
        assert 0.3 <= time.monotonic() - began < 2
    assert refusal.value.exit_status == EXIT_UNREACHABLE
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_a_change_that_a_crash_broke_off_is_not_taken_for_data(files: Files, tmp_path: Path) -> None:
    path = files.with_rows("T", ["t TEXT"], [("x" * 2000,)] * 50)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE T SET t = 'half of it' || t")
        for each in tmp_path.glob("odyssey.db*"):
            shutil.copy(each, crashed / each.name)
    before = (crashed / path.name).read_bytes()
    with pytest.raises(UnreachableError, match="a change that was broken off") as refusal:
        take_snapshot(crashed / path.name, tmp_path / "snapshots")
    assert "Open it once with the application" in refusal.value.hint
    assert (crashed / path.name).read_bytes() == before


def test_a_missing_file_is_refused_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no SQLite file at") as refusal:
        take_snapshot(tmp_path / "missing.db", tmp_path / "snapshots")
    assert refusal.value.exit_status == EXIT_USAGE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"SQLite", "is not a SQLite database"),
        (b"-- a dump\nCREATE TABLE T (i);\n", "is not a SQLite database"),
        (b"\x00" * 8192, "is not a SQLite database"),
    ],
    ids=["empty", "short", "text", "zeros"],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "some.db"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=complaint) as refusal:
        take_snapshot(path, tmp_path / "snapshots")
    assert str(path) in refusal.value.message
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a file"):
        take_snapshot(tmp_path, tmp_path / "snapshots")


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_file_this_user_may_not_read_is_refused(closed: str) -> None:
    with open_folder() as folder:
        inner = folder / "inner"
        inner.mkdir(mode=0o755)
        path = simple_file(Files(inner))
        (path if closed == "file" else inner).chmod(0)
        try:
            with as_ordinary_user(), pytest.raises(ConfigurationError, match="may not be read by this user"):
                take_snapshot(path, folder / "snapshots")
        finally:
            inner.chmod(0o700)


def test_a_folder_this_user_may_not_write_to_is_refused(files: Files) -> None:
    with open_folder() as folder:
        path = simple_file(Files(folder))
        path.chmod(0o644)
        closed = folder / "snapshots"
        closed.mkdir(mode=0o500)
        with as_ordinary_user(), pytest.raises(ConfigurationError, match="cannot hold snapshots: ") as refusal:
            take_snapshot(path, closed / "here")
        assert "ODYSSEY_STATE_DIR" in refusal.value.hint
        assert list(closed.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(files: Files, tmp_path: Path) -> None:
    (tmp_path / "snapshots").write_text("not a folder")
    with pytest.raises(ConfigurationError, match="cannot hold snapshots: File exists"):
        take_snapshot(simple_file(files), tmp_path / "snapshots")


@pytest.mark.parametrize("kept_bytes", [16, 100, 4096, 5000, 10 * 4096, -4096, -10, -1])
def test_a_truncated_file_is_refused_wherever_it_ends(files: Files, tmp_path: Path, kept_bytes: int) -> None:
    path = files.with_rows("T", ["t TEXT"], [("x" * 2000,)] * 100)
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(IntegrityError, match="is damaged: ") as refusal:
        take_snapshot(path, tmp_path / "snapshots")
    assert refusal.value.exit_status == EXIT_INTEGRITY
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_a_file_that_only_begins_like_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 8176)
    with pytest.raises(IntegrityError, match="is damaged: "):
        take_snapshot(path, tmp_path / "snapshots")
