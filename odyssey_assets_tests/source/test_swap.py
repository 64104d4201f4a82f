"""Putting a file in the place of a live one: what is put there stays, what was there is kept, whatever is killed when.

Belongs here: swapping files. Does not belong here: which file is put there (``backup``, ``carry_back``).
"""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from odyssey_assets.errors import ConfigurationError, IntegrityError, RefusedError, UnreachableError
from odyssey_assets.source.fence import is_sealed, unseal
from odyssey_assets.source.swap import swap_in
from odyssey_assets_tests.source.conftest import Files
from odyssey_assets_tests.source.swapping import NEW, OLD, new_file, old_file, rows
from odyssey_assets_tests.source.writers import other_process
from odyssey_assets_tests.statements import ask_sqlite, run_sqlite

JOURNALS = ["delete", "wal", "persist", "truncate"]


@pytest.fixture
def new(files: Files) -> Path:
    return new_file(files.folder)


READS = "c.execute('BEGIN'); c.execute('SELECT * FROM T').fetchone()"
WAITS = "print('ready', flush=True); time.sleep(60)"


@pytest.fixture
def live(files: Files) -> Path:
    return old_file(files.folder)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("way", ["copied over", "renamed over"])
def test_without_this_a_log_undoes_a_restore(tmp_path: Path, new: Path, way: str) -> None:
    live = old_file(tmp_path, "wal")
    size_bytes = live.stat().st_size
    assert size_bytes == new.stat().st_size
    if way == "copied over":
        shutil.copyfile(new, live)
    else:
        shutil.copyfile(new, tmp_path / "copy.db")
        (tmp_path / "copy.db").replace(live)
    assert rows(live) == OLD


@pytest.mark.parametrize("journal", JOURNALS)
def test_what_was_put_there_stays_and_what_was_there_is_kept(tmp_path: Path, new: Path, journal: str) -> None:
    live = old_file(tmp_path, journal)
    swapped = swap_in(new, live, label="restore")
    assert rows(live) == NEW
    assert rows(new) == NEW
    assert swapped.live == live
    assert swapped.kept is not None
    assert swapped.kept.name.startswith("live.db.before-restore-")
    assert rows(swapped.kept) == OLD
    assert not {"live.db-wal", "live.db-shm", "live.db-journal"} & names(tmp_path)
    assert not [name for name in names(tmp_path) if name.startswith(".")]
    run_sqlite(live, "INSERT INTO T VALUES (-3)")
    assert rows(live) == [*NEW, (-3,)]
    assert rows(new) == NEW


def test_the_kept_file_takes_no_writes_until_it_is_unsealed(live: Path, new: Path) -> None:
    kept = swap_in(new, live, label="restore").kept
    assert kept is not None
    with pytest.raises(sqlite3.IntegrityError, match=r"live.db was replaced by another file \(odyssey restore\)"):
        run_sqlite(kept, "INSERT INTO T VALUES (99)")
    assert unseal(kept)
    run_sqlite(kept, "INSERT INTO T VALUES (99)")
    assert not is_sealed(live)


def test_a_file_that_was_sealed_already_keeps_its_seal(live: Path, new: Path) -> None:
    run_sqlite(live, "CREATE TRIGGER odyssey_fence_T BEFORE INSERT ON T BEGIN SELECT RAISE(ABORT, 'cut over'); END")
    with other_process(live, f"{READS}\n{WAITS}"), pytest.raises(RefusedError):
        swap_in(new, live, label="restore")
    with pytest.raises(sqlite3.IntegrityError, match="cut over"):
        run_sqlite(live, "INSERT INTO T VALUES (99)")
    kept = swap_in(new, live, label="restore").kept
    assert kept is not None
    with pytest.raises(sqlite3.IntegrityError, match="cut over"):
        run_sqlite(kept, "INSERT INTO T VALUES (99)")


IN_THE_WAY = {
    "reads": READS,
    "writes": "c.execute('BEGIN IMMEDIATE'); c.execute('INSERT INTO T VALUES (7)')",
    "is idle": "c.execute('SELECT * FROM T').fetchall()",
}


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("what", IN_THE_WAY)
def test_whoever_has_it_open_is_named_and_nothing_changes(tmp_path: Path, new: Path, journal: str, what: str) -> None:
    live = old_file(tmp_path, journal)
    inode = live.stat().st_ino
    with other_process(live, f"{IN_THE_WAY[what]}\n{WAITS}") as process:
        with pytest.raises(RefusedError, match=rf"is open in python\S* \(process {process.pid}\)"):
            swap_in(new, live, label="restore")
        assert not [name for name in names(tmp_path) if "before" in name or name.startswith(".")]
    assert live.stat().st_ino == inode
    assert rows(live) == OLD
    assert not is_sealed(live)


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("what", ["reads", "writes"])
@pytest.mark.usefixtures("nobody_is_seen")
def test_whoever_cannot_be_seen_is_in_the_way_too(
    tmp_path: Path, new: Path, journal: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odyssey_assets.source.sole_use.WAIT_SECONDS", 0.2)
    live = old_file(tmp_path, journal)
    with (
        other_process(live, f"{IN_THE_WAY[what]}\n{WAITS}"),
        pytest.raises(RefusedError, match="somebody this account cannot see holds a lock on it"),
    ):
        swap_in(new, live, label="restore")
    assert rows(live) == OLD
    assert not is_sealed(live)
    assert ask_sqlite(live, "PRAGMA journal_mode") == [(journal,)]


@pytest.mark.parametrize("mode", ["delete", "memory", "off"])
@pytest.mark.usefixtures("nobody_is_seen")
def test_an_idle_process_that_cannot_be_seen_writes_into_neither_file(live: Path, new: Path, mode: str) -> None:
    script = (
        f"c.execute('PRAGMA journal_mode = {mode}'); c.execute('SELECT * FROM T').fetchall()\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "try:\n    c.execute('INSERT INTO T VALUES (99)')\n"
        "except sqlite3.Error as error:\n    print(error, flush=True)"
    )
    with other_process(live, script) as process:
        swapped = swap_in(new, live, label="restore")
        said, _ = process.communicate("\n")
    assert "live.db was replaced by another file" in said
    assert rows(live) == NEW
    assert swapped.kept is not None
    assert rows(swapped.kept) == OLD


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("links", [True, False])
def test_nobody_gets_in_until_the_new_file_is_there(
    tmp_path: Path, new: Path, journal: str, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """POSIX would take the lock away with the first descriptor of the file that this process closes."""

    def refused(_self: Path, _target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    def look_and_replace(self: Path, target: Path) -> Path:
        script = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT * FROM T')"
        done = subprocess.run([sys.executable, "-c", script, target], capture_output=True, text=True, check=False)
        said.append(done.stderr)
        return replace(self, target)

    said: list[str] = []
    replace = Path.replace
    live = old_file(tmp_path, journal)
    monkeypatch.setattr(Path, "replace", look_and_replace)
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    swap_in(new, live, label="restore")
    assert ["database is locked" in each for each in said] == [True]


@pytest.mark.usefixtures("nobody_is_seen")
def test_the_path_is_never_without_a_file(live: Path, new: Path) -> None:
    script = (
        "path = sys.argv[1]\nprint('ready', flush=True)\nseen = set()\n"
        "import os\nend = time.monotonic() + 60\n"
        "while time.monotonic() < end:\n"
        "    try:\n        seen.add(os.stat(path).st_size)\n"
        "    except FileNotFoundError:\n        seen.add('missing')\n"
        "    if os.path.exists(path + '.stop'):\n        break\n"
        "print(sorted(map(str, seen)), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys, time\n{script}", str(live)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(20):
            swap_in(new, live, label="restore")
        live.with_name("live.db.stop").touch()
        assert "missing" not in process.stdout.read()


@pytest.mark.parametrize("kind", ["no database", "empty", "torn schema", "torn and logged"])
def test_a_damaged_file_is_replaced_and_kept_byte_by_byte_with_its_log(tmp_path: Path, new: Path, kind: str) -> None:
    live = old_file(tmp_path, "wal" if kind in {"empty", "torn and logged"} else "delete")
    content = bytearray(live.read_bytes())
    match kind:
        case "no database":
            content[:100] = bytes(100)
        case "empty":
            content.clear()
        case _:
            content[100:] = b"\xff" * (len(content) - 100)
    live.write_bytes(content)
    log = live.with_name("live.db-wal")
    if kind == "torn and logged":
        log.write_bytes(log.read_bytes()[:32])
    logged = log.read_bytes() if log.exists() else None
    swapped = swap_in(new, live, label="restore")
    assert rows(live) == NEW
    assert swapped.kept is not None
    if kind != "torn and logged":
        assert swapped.kept.read_bytes() == bytes(content)
    if kind == "empty":
        kept_log = swapped.kept.with_name(swapped.kept.name + "-wal")
        assert kept_log in swapped.sidecars
        assert kept_log.read_bytes() == logged
    assert not log.exists()


@pytest.mark.usefixtures("nobody_is_seen")
def test_a_damaged_file_that_somebody_locks_is_left_alone(live: Path, new: Path) -> None:
    with other_process(live, f"{READS}\n{WAITS}"):
        with live.open("r+b") as file:
            file.write(bytes(100))
        with pytest.raises(RefusedError, match="is in use"):
            swap_in(new, live, label="restore")
    assert live.read_bytes()[:100] == bytes(100)


def test_where_there_is_no_file_what_stands_beside_is_not_played_over_the_new_one(tmp_path: Path, new: Path) -> None:
    live = old_file(tmp_path, "wal")
    live.unlink()
    swapped = swap_in(new, live, label="restore")
    assert swapped.kept is None
    assert len(swapped.sidecars) == 2
    assert rows(live) == NEW
    assert live.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_mode_and_owner_stay(live: Path, new: Path) -> None:
    live.chmod(0o664)
    os.chown(live, 65534, 65533)
    swap_in(new, live, label="restore")
    found = live.stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o664, 65534, 65533)


def test_a_link_stays_a_link(tmp_path: Path, live: Path, new: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(live)
    assert swap_in(new, link, label="restore").live == live
    assert link.is_symlink()
    assert rows(link) == NEW


def test_a_copy_that_is_not_what_was_asked_for_is_not_put_there(live: Path, new: Path, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="is not what it must be"):
        swap_in(new, live, label="restore", sha256="0" * 64)
    assert rows(live) == OLD
    assert names(tmp_path) == {"live.db", "new.db"}
    swap_in(new, live, label="restore", sha256=hashlib.sha256(new.read_bytes()).hexdigest())
    assert rows(live) == NEW


def test_a_new_file_with_a_log_is_not_finished(live: Path, new: Path) -> None:
    script = f"c.execute('PRAGMA journal_mode = WAL'); c.execute('INSERT INTO T VALUES (5)')\n{WAITS}"
    unfinished = r"new.db is not finished: a part of it is in new.db-wal"
    with other_process(new, script), pytest.raises(IntegrityError, match=unfinished):
        swap_in(new, live, label="restore")


def test_without_hard_links_the_old_file_is_copied(tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_self: Path, _target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    live = old_file(tmp_path, "wal")
    monkeypatch.setattr(Path, "hardlink_to", refused)
    kept = swap_in(new, live, label="restore").kept
    assert kept is not None
    assert (rows(live), rows(kept)) == (NEW, OLD)


def test_a_folder_that_may_not_be_written_to_is_told(live: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_self: Path, _target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(ConfigurationError, match="cannot be replaced: Permission denied"):
        swap_in(new, live, label="restore")
    assert rows(live) == OLD
    assert not is_sealed(live)


def test_a_full_disk_is_told(live: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnreachableError, match="no room beside"):
        swap_in(new, live, label="restore")
    assert rows(live) == OLD
