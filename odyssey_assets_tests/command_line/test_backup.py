"""``odyssey backup``, ``backups``, ``drill`` and ``restore`` as they are typed at 2 a.m."""

import json
import sqlite3
from pathlib import Path

import pytest

from odyssey_assets.backup.store import data_path, list_backups
from odyssey_assets.configuration import ENV_SQLITE
from odyssey_assets.sync.run import run as run_engine
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.backup.conftest import flip_a_byte
from odyssey_assets_tests.command_line.conftest import assert_refused, document, odyssey
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.statements import ask_sqlite, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import request_for

VOTES = 'SELECT count(*) FROM "Vote"'


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    return tmp_path / "state" / "backups"


def test_both_sides_are_backed_up_lost_and_brought_back(
    server: EmbeddedServer, database_uri: str, source: Path, backups: Path, tmp_path: Path
) -> None:
    assert run_engine(request_for(tmp_path, source, database_uri)).ok
    taken = odyssey("backup", "--sqlite", source, "--postgres", database_uri, "--sql", "--note", "first", "--json")
    assert taken.exit_code == 0, taken.output
    told = document(taken)
    assert told["ok"] is True
    assert [each["kind"] for each in told["backups"]] == ["sqlite", "postgresql"]
    assert all(each["is_restorable"] and each["note"] == "first" for each in told["backups"])
    sqlite_id, postgresql_id = (each["id"] for each in told["backups"])
    assert (backups / sqlite_id / "dump.sql").stat().st_size > 0
    listed = odyssey("backups")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [postgresql_id, sqlite_id]
    assert listed.stdout.count("restored for a try") == 2
    assert document(odyssey("backups", "--json"))["backups"][0]["id"] == postgresql_id

    run_sqlite(source, 'DELETE FROM "Vote"')
    done = odyssey("restore", "sqlite-", "--to", source, "--yes", "--json")
    assert done.exit_code == 0, done.output
    assert differences(source, database_uri) == []
    assert ask_sqlite(Path(document(done)["kept"]), VOTES) == [(0,)]

    run_postgres(database_uri, 'DROP TABLE "Vote"')
    assert_refused(odyssey("restore", postgresql_id, "--into", database_uri, "--yes"), 3, "is not empty", "--replace")
    with fresh_database(server) as other:
        assert odyssey("restore", "postgresql-", "--into", other, "--yes").exit_code == 0
        assert differences(source, other) == []


def test_one_side_alone_can_be_backed_up_without_a_try(source: Path, backups: Path) -> None:
    taken = odyssey("backup", "--only", "sqlite", "--sqlite", source, "--no-drill")
    assert taken.exit_code == 0, taken.output
    assert "never restored" in taken.stderr
    (manifest,) = list_backups(backups).readable
    assert not manifest.is_restorable
    assert odyssey("drill").exit_code == 0
    assert list_backups(backups).readable[0].is_restorable


def test_as_many_stay_as_were_asked_for(source: Path, backups: Path) -> None:
    for _ in range(3):
        assert odyssey("backup", "--only", "sqlite", "--sqlite", source, "--keep", "2").exit_code == 0
    assert len(list_backups(backups).readable) == 2


def test_a_damaged_backup_is_told_by_its_drill_and_not_restored(source: Path, backups: Path) -> None:
    assert odyssey("backup", "--only", "sqlite", "--sqlite", source).exit_code == 0
    (manifest,) = list_backups(backups).readable
    flip_a_byte(data_path(backups, manifest))
    drilled = odyssey("drill", manifest.id, "--json")
    assert (drilled.exit_code, document(drilled)["ok"]) == (1, False)
    assert "NOT RESTORABLE" in drilled.stderr
    before = source.read_bytes()
    assert_refused(odyssey("restore", manifest.id, "--to", source, "--yes"), 1, "is damaged")
    assert source.read_bytes() == before
    (backups / manifest.id / "manifest.json").write_text("{")
    listed = odyssey("backups")
    assert listed.exit_code == 1
    assert f"{manifest.id}  its manifest is damaged" in listed.stderr


def test_nothing_is_restored_unasked(source: Path, backups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert odyssey("backup", "--only", "sqlite", "--sqlite", source, "--no-drill").exit_code == 0
    run_sqlite(source, 'DELETE FROM "Vote"')
    monkeypatch.setenv(ENV_SQLITE, str(source))
    assert_refused(odyssey("restore", "sqlite-"), 3, "There is nobody to ask", "--yes")
    assert ask_sqlite(source, VOTES) == [(0,)]
    assert odyssey("restore", "sqlite-", "--yes").exit_code == 0
    assert ask_sqlite(source, VOTES) != [(0,)]


def test_a_backup_of_a_sealed_file_can_be_made_to_take_writes(source: Path, tmp_path: Path) -> None:
    run_sqlite(
        source, "CREATE TRIGGER odyssey_fence_x BEFORE DELETE ON \"Vote\" BEGIN SELECT RAISE(ABORT, 'cut over'); END"
    )
    assert odyssey("backup", "--only", "sqlite", "--sqlite", source).exit_code == 0
    restored = tmp_path / "restored.db"
    told = odyssey("restore", "sqlite-", "--to", restored, "--yes")
    assert "see --unseal" in told.stderr
    with pytest.raises(sqlite3.IntegrityError, match="cut over"):
        run_sqlite(restored, 'DELETE FROM "Vote"')
    assert odyssey("restore", "sqlite-", "--to", restored, "--yes", "--unseal").exit_code == 0
    run_sqlite(restored, 'DELETE FROM "Vote"')


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["restore", "nothing", "--yes"], 2, "There is no backup nothing"),
        (["restore", "sqlite-", "--yes"], 2, "No file was named"),
        (["restore", "sqlite-", "--into", "postgresql://h/d", "--yes"], 2, "is a backup of SQLite"),
        (["backup", "--only", "sqlite", "--sqlite", "missing.db"], 2, "There is no SQLite file"),
        (["backup", "--only", "postgresql", "--postgres", "postgresql://u:p@127.0.0.1:1/d"], 4, "cannot be reached"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(source: Path, arguments: list[str], status: int, sentence: str) -> None:
    assert odyssey("backup", "--only", "sqlite", "--sqlite", source, "--no-drill").exit_code == 0
    assert_refused(odyssey(*arguments), status, sentence)


def test_without_backups_a_drill_says_so() -> None:
    assert_refused(odyssey("drill"), 2, "There are no backups yet")
    assert odyssey("backups").exit_code == 0


def test_one_side_that_fails_leaves_the_other_its_backup(source: Path, backups: Path) -> None:
    result = odyssey("backup", "--sqlite", source, "--postgres", "postgresql://u:p@127.0.0.1:1/d", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["ok"] is False
    (manifest,) = list_backups(backups).readable
    assert manifest.is_restorable
