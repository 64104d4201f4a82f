"""The SQLite side: what is kept is the snapshot, and it comes back whole or not at all."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from odyssey_assets.backup.drill import DrillPlace, drill
from odyssey_assets.backup.manifest import Kind
from odyssey_assets.backup.sqlite import DUMP_SQL, SCHEMA_SQL, back_up_sqlite, keep_snapshot, restore_sqlite
from odyssey_assets.backup.store import data_path, find_backup, list_backups
from odyssey_assets.errors import ConfigurationError, IntegrityError, OdysseyError, RefusedError, UnreachableError
from odyssey_assets.source.snapshot import file_sha256, take_snapshot
from odyssey_assets_tests.backup.conftest import flip_a_byte
from odyssey_assets_tests.end_to_end.faults import fill, small_disk
from odyssey_assets_tests.source.writers import other_process
from odyssey_assets_tests.statements import ask_sqlite, run_sqlite

CONTENT = "SELECT name, sql FROM sqlite_schema ORDER BY name"


@pytest.fixture
def live(source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(source, tmp_path / "live.db"))


@pytest.fixture
def here(tmp_path: Path) -> DrillPlace:
    return DrillPlace(tmp_path / "scratch", None)


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_a_backup_is_described_and_closed_to_others(live: Path, backups: Path) -> None:
    manifest = back_up_sqlite(live, backups, note="nightly")
    assert list_backups(backups).readable == (manifest,)
    assert (manifest.kind, manifest.note, manifest.is_restorable) == (Kind.SQLITE, "nightly", False)
    path = data_path(backups, manifest)
    assert (manifest.bytes, manifest.sha256) == (path.stat().st_size, file_sha256(path))
    assert content(path) == content(live)
    tables = [name for (name,) in ask_sqlite(live, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert {name: table.rows for name, table in manifest.tables.items()} == {
        name: ask_sqlite(live, f'SELECT count(*) FROM "{name}"')[0][0] for name in tables if "sqlite_" not in name
    }
    assert {each.name for each in path.parent.iterdir()} == {path.name, SCHEMA_SQL, "manifest.json"}
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
    assert [each.stat().st_mode & 0o777 for each in (backups, path.parent)] == [0o700, 0o700]


def test_the_schema_and_the_dump_are_sql_that_runs(live: Path, backups: Path, tmp_path: Path) -> None:
    run_sqlite(live, "CREATE VIEW v AS SELECT 1", "CREATE TRIGGER g AFTER DELETE ON \"Vote\" BEGIN SELECT 'a;b'; END")
    run_sqlite(live, "UPDATE \"Village\" SET name = CAST(x'61ff' AS TEXT)")
    folder = data_path(backups, back_up_sqlite(live, backups, has_sql=True)).parent
    with closing(sqlite3.connect(tmp_path / "schema.db")) as connection:
        connection.executescript((folder / SCHEMA_SQL).read_text())
    assert ask_sqlite(tmp_path / "schema.db", CONTENT) == ask_sqlite(live, CONTENT)
    assert b"a\xff" in (folder / DUMP_SQL).read_bytes()
    run_sqlite(live, "UPDATE \"Village\" SET name = 'é'")
    folder = data_path(backups, back_up_sqlite(live, backups, has_sql=True)).parent
    with closing(sqlite3.connect(tmp_path / "dump.db")) as connection:
        connection.executescript((folder / DUMP_SQL).read_text("utf-8"))
    assert content(tmp_path / "dump.db") == content(live)


@pytest.mark.parametrize("links", [True, False])
def test_a_snapshot_that_was_taken_is_kept_without_another(
    live: Path, backups: Path, tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_self: Path, _target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    snapshot = take_snapshot(live, tmp_path / "snapshots")
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    manifest = keep_snapshot(snapshot, backups, pinned=True, note="cut-over")
    data = data_path(backups, manifest)
    assert data.samefile(snapshot.path) == links
    assert (manifest.sha256, manifest.taken_at, manifest.is_pinned) == (snapshot.sha256, snapshot.taken_at, True)
    assert manifest.id == f"sqlite-{snapshot.id}"
    snapshot.path.unlink()
    run_sqlite(live, 'DELETE FROM "Vote"')
    restore_sqlite(backups, manifest, live)
    assert file_sha256(live) == snapshot.sha256


def test_a_snapshot_that_changed_since_is_not_kept(live: Path, backups: Path, tmp_path: Path) -> None:
    snapshot = take_snapshot(live, tmp_path / "snapshots")
    flip_a_byte(snapshot.path)
    with pytest.raises(IntegrityError, match="not what it was when it was taken"):
        keep_snapshot(snapshot, backups, pinned=True, note="")
    with pytest.raises(IntegrityError, match="was removed"):
        keep_snapshot(replace(snapshot, path=tmp_path / "gone.db"), backups, pinned=True, note="")
    assert list(backups.iterdir()) == []


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_restore_brings_back_what_was_and_keeps_what_is(live: Path, backups: Path, journal: str) -> None:
    manifest = back_up_sqlite(live, backups)
    before = content(live)
    script = (
        f"c.execute('PRAGMA journal_mode = {journal}'); c.execute('PRAGMA wal_autocheckpoint = 0')\n"
        "c.execute('DELETE FROM \"Vote\"')\nprint('ready', flush=True); sys.stdin.read()"
    )
    with other_process(live, script):
        pass
    restored = restore_sqlite(backups, manifest, live)
    assert content(live) == before
    assert restored.swapped.kept is not None
    assert ask_sqlite(restored.swapped.kept, 'SELECT count(*) FROM "Vote"') == [(0,)]
    assert not restored.is_sealed
    assert find_backup(backups, manifest.id) == manifest
    run_sqlite(live, 'DELETE FROM "Vote"')
    assert file_sha256(data_path(backups, manifest)) == manifest.sha256


def test_a_destroyed_file_is_restored(live: Path, backups: Path) -> None:
    before = content(live)
    manifest = back_up_sqlite(live, backups)
    live.write_bytes(live.read_bytes()[:5000])
    with pytest.raises(OdysseyError):
        back_up_sqlite(live, backups)
    restore_sqlite(backups, manifest, live)
    assert content(live) == before
    live.unlink()
    restore_sqlite(backups, manifest, live)
    assert content(live) == before


def test_nobody_may_have_it_open(live: Path, backups: Path) -> None:
    manifest = back_up_sqlite(live, backups)
    with (
        other_process(
            live, "c.execute('SELECT * FROM \"Vote\"').fetchone()\nprint('ready', flush=True); time.sleep(60)"
        ),
        pytest.raises(RefusedError, match=r"is open in python\S* \(process \d+\)"),
    ):
        restore_sqlite(backups, manifest, live)


@pytest.mark.parametrize("at", [0.001, 0.3, 0.999])
def test_one_flipped_byte_is_enough_to_refuse_it(live: Path, backups: Path, here: DrillPlace, at: float) -> None:
    manifest = back_up_sqlite(live, backups)
    before = file_sha256(live)
    flip_a_byte(data_path(backups, manifest), at)
    with pytest.raises(IntegrityError, match="is damaged: its SHA-256"):
        restore_sqlite(backups, manifest, live)
    drilled = drill(backups, manifest, here)
    assert (drilled.is_restorable, "is damaged" in drilled.drills[0].detail) == (False, True)
    assert file_sha256(live) == before


def test_a_drill_proves_it_and_leaves_nothing(live: Path, backups: Path, here: DrillPlace) -> None:
    manifest = drill(backups, back_up_sqlite(live, backups), here)
    assert manifest.is_restorable
    assert "integrity_check found nothing" in manifest.drills[0].detail
    assert list(here.scratch_dir.iterdir()) == []
    assert find_backup(backups, manifest.id) == manifest


def test_a_backup_of_a_damaged_file_fails_its_drill(live: Path, backups: Path, here: DrillPlace) -> None:
    """An index without an entry: SQLite reads the file without a word, and only integrity_check finds it."""
    ((root,),) = ask_sqlite(live, "SELECT rootpage FROM sqlite_schema WHERE name = 'User_email_key'")
    ((page_bytes,),) = ask_sqlite(live, "PRAGMA page_size")
    image = bytearray(live.read_bytes())
    cells = (root - 1) * page_bytes + 3
    image[cells : cells + 2] = (int.from_bytes(image[cells : cells + 2], "big") - 1).to_bytes(2, "big")
    live.write_bytes(image)
    manifest = back_up_sqlite(live, backups)
    drilled = drill(backups, manifest, here)
    assert not drilled.is_restorable
    assert "SQLite objects to backup" in drilled.drills[0].detail
    with pytest.raises(IntegrityError, match="SQLite objects to backup"):
        restore_sqlite(backups, manifest, live)


def test_rows_that_broke_references_already_are_part_of_the_backup(live: Path, backups: Path, here: DrillPlace) -> None:
    run_sqlite(live, 'UPDATE "Vote" SET "userId" = \'nobody\' WHERE rowid = (SELECT min(rowid) FROM "Vote")')
    manifest = back_up_sqlite(live, backups)
    assert manifest.broken_references == 1
    assert drill(backups, manifest, here).is_restorable
    assert not drill(backups, replace(manifest, broken_references=0), here).is_restorable


def test_a_manifest_that_tells_of_other_rows_is_found(live: Path, backups: Path, here: DrillPlace) -> None:
    manifest = back_up_sqlite(live, backups)
    fewer = {name: table for name, table in manifest.tables.items() if name != "Vote"}
    drilled = drill(backups, replace(manifest, tables=fewer), here)
    assert "holds other rows than its manifest says: Vote" in drilled.drills[-1].detail


def test_without_a_file_there_is_no_backup(backups: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no SQLite file"):
        back_up_sqlite(tmp_path / "missing.db", backups)
    assert list(backups.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(live: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 4 * 2**20) as disk:
        backups = disk / "backups"
        first = back_up_sqlite(live, backups)
        filler = fill(disk, leaving_bytes=8_192)
        with pytest.raises(UnreachableError, match="no room"):
            back_up_sqlite(live, backups)
        with pytest.raises(UnreachableError, match="no room"):
            drill(backups, first, DrillPlace(disk / "scratch", None))
        assert [each.name for each in backups.iterdir()] == [first.id]
        filler.unlink()
        assert back_up_sqlite(live, backups).id != first.id
