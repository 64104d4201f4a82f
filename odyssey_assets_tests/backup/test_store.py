"""Keeping backups: whole or not there, found by the beginning of an id, and never the wrong one removed."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from odyssey_assets.backup.manifest import Drill, Kind, Manifest, TableContent, manifest_from, manifest_text
from odyssey_assets.backup.retention import prune, superfluous
from odyssey_assets.backup.store import (
    add_backup,
    find_backup,
    list_backups,
    new_id,
    note_drill,
    remove_backup,
    require_whole,
)
from odyssey_assets.errors import ConfigurationError, IntegrityError

START = datetime(2025, 10, 10, 9, tzinfo=UTC)
PASSED = Drill(START, passed=True, seconds=1.5, detail="all rows restored")
FAILED = replace(PASSED, passed=False)


def manifest(number: int = 0, kind: Kind = Kind.SQLITE, **changes: object) -> Manifest:
    taken_at = START + timedelta(days=number)
    content = {"Vote": TableContent(3), "public.User": TableContent(2, "-17", is_as_published=True)}
    made = Manifest(
        f"{kind.value}-{number:03}", kind, taken_at, "data", 4, "ab" * 32, {"odyssey": "1"}, content, note="é"
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def add(folder: Path, made: Manifest) -> Manifest:
    def fill(partial: Path) -> Manifest:
        (partial / made.file).write_bytes(b"data")
        return made

    return add_backup(folder, fill)


def test_a_manifest_reads_back_as_it_was_written() -> None:
    for made in (manifest(), manifest(3, Kind.POSTGRESQL, drills=(FAILED, PASSED), is_pinned=True)):
        assert manifest_from(manifest_text(made)) == made


def test_only_the_last_drill_counts() -> None:
    assert not manifest().is_restorable
    assert manifest(drills=(FAILED, PASSED)).is_restorable
    assert not manifest(drills=(PASSED, FAILED)).is_restorable


def test_the_newest_is_listed_first_and_damaged_ones_are_named(tmp_path: Path) -> None:
    made = [add(tmp_path, manifest(number)) for number in (2, 1, 3)]
    add(tmp_path, manifest(9))
    (tmp_path / "sqlite-009" / "manifest.json").write_text("{")
    (tmp_path / "notes.txt").write_text("mine")
    found = list_backups(tmp_path)
    assert found.readable == (made[2], made[0], made[1])
    assert found.unreadable == ("sqlite-009",)
    assert list_backups(tmp_path / "none").readable == ()
    with pytest.raises(IntegrityError, match="manifest of backup sqlite-009 is damaged"):
        find_backup(tmp_path, "sqlite-009")


def test_a_folder_with_another_ones_manifest_is_damaged(tmp_path: Path) -> None:
    add(tmp_path, manifest(1))
    (tmp_path / "sqlite-001").rename(tmp_path / "sqlite-002")
    assert list_backups(tmp_path).unreadable == ("sqlite-002",)


def test_the_beginning_of_an_id_is_enough_unless_there_are_two(tmp_path: Path) -> None:
    made = [add(tmp_path, manifest(number)) for number in (1, 2, 20)]
    assert find_backup(tmp_path, "sqlite-001") == made[0]
    assert find_backup(tmp_path, "sqlite-02") == made[2]
    with pytest.raises(ConfigurationError, match="beginning of 3 backups: sqlite-020, sqlite-002, sqlite-001"):
        find_backup(tmp_path, "sqlite-0")
    with pytest.raises(ConfigurationError, match="There is no backup other"):
        find_backup(tmp_path, "other")


def test_what_fails_or_is_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    def fail(partial: Path) -> Manifest:
        (partial / "data").write_text("half")
        raise IntegrityError("no")

    with pytest.raises(IntegrityError):
        add_backup(tmp_path, fail)
    assert list(tmp_path.iterdir()) == []
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom odyssey_assets.backup.store import add_backup\n"
        "add_backup(Path(sys.argv[1]), lambda partial: os.kill(os.getpid(), signal.SIGKILL))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    assert list_backups(tmp_path).readable == ()
    living = tmp_path / f".partial-{os.getpid()}-abcd"
    living.mkdir()
    made = add(tmp_path, manifest())
    assert {path.name for path in tmp_path.iterdir()} == {made.id, living.name}


def test_a_drill_is_added_to_what_is_known(tmp_path: Path) -> None:
    made = add(tmp_path, manifest())
    note_drill(tmp_path, made, FAILED)
    assert note_drill(tmp_path, made, PASSED).drills == (FAILED, PASSED)
    assert find_backup(tmp_path, made.id).drills == (FAILED, PASSED)
    assert sorted(path.name for path in (tmp_path / made.id).iterdir()) == ["data", "manifest.json"]
    assert (tmp_path / made.id / "manifest.json").stat().st_mode & 0o777 == 0o600


def test_a_data_file_that_is_gone_is_told(tmp_path: Path) -> None:
    made = add(tmp_path, manifest())
    with pytest.raises(IntegrityError, match="is damaged"):
        require_whole(tmp_path, made)
    (tmp_path / made.id / "data").unlink()
    with pytest.raises(IntegrityError, match="cannot be read: No such file"):
        require_whole(tmp_path, made)


def test_the_newest_stay_and_the_pinned_and_the_newest_proven_one() -> None:
    made = [
        manifest(9),
        manifest(8, drills=(FAILED,)),
        manifest(7),
        manifest(6, is_pinned=True),
        manifest(5, drills=(PASSED,)),
        manifest(4, drills=(PASSED,)),
    ]
    assert [each.id for each in superfluous(tuple(made), 2)] == ["sqlite-007", "sqlite-004"]
    assert [each.id for each in superfluous(tuple(made), 0)] == ["sqlite-008", "sqlite-007", "sqlite-004"]
    assert superfluous(tuple(made), 6) == ()


def test_pruning_is_by_kind(tmp_path: Path) -> None:
    for number in range(4):
        add(tmp_path, manifest(number))
        add(tmp_path, manifest(number, Kind.POSTGRESQL))
    assert [each.id for each in prune(tmp_path, Kind.SQLITE, 2)] == ["sqlite-001", "sqlite-000"]
    found = list_backups(tmp_path)
    assert (len(found.of(Kind.SQLITE)), len(found.of(Kind.POSTGRESQL))) == (2, 4)
    remove_backup(tmp_path, found.readable[0])
    assert len(list(tmp_path.iterdir())) == 5


def test_ids_sort_by_age() -> None:
    ids = [new_id(Kind.SQLITE, START + timedelta(microseconds=step)) for step in (0, 1, 10**9)]
    assert ids == sorted(ids)


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot hold backups"):
        add(tmp_path / "file" / "backups", manifest())
