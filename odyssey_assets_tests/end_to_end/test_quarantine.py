"""`--quarantine` as a process: bad rows wait in PostgreSQL, are accounted for, and leave once SQLite is mended."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets_tests.conftest import state_folder
from odyssey_assets_tests.end_to_end.commands import ODYSSEY, Ended, run, surroundings
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.plain_source import TextBytes, plant, write_database
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres

ROWS = 3
BAD_ROWS = {
    ("User", "User-1", "bio", "nul_character", '{"hex": "610062", "class": "text"}'),
    ("Feature", "Feature-0", "title", "not_utf8", '{"hex": "61ff", "class": "text"}'),
}
"""Table, id, column, reason, and how the cell is kept."""


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with state_folder() as folder:
        yield folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = write_database(tmp_path / "odyssey.db", rows=ROWS)
    plant(path, "User", 2, bio=TextBytes(b"a\x00b"))
    plant(path, "Feature", 1, title=TextBytes(b"a\xff"))
    return path


@pytest.fixture
def uri(database_uri: str) -> str:
    run_postgres(database_uri, prisma_sql(5))
    return database_uri


def mend(path: Path) -> None:
    plant(path, "User", 2, bio="ab")
    plant(path, "Feature", 1, title="a")


def odyssey(state: Path, source: Path, uri: str, *command: str) -> Ended:
    return run([ODYSSEY, *command], environment(state, source, uri), source.parent)


def environment(state: Path, source: Path, uri: str) -> dict[str, str]:
    return surroundings(state, {"POSTGRES_URL": uri, "ODYSSEY_SQLITE_PATH": str(source)})


def bad_rows(uri: str) -> set[tuple[Any, ...]]:
    """What is in quarantine for a reason of its own."""
    return set(ask_postgres(
        uri,
        "SELECT table_name, key->>'id', column_name, reason, (original->column_name)::text "
        "FROM odyssey_sync.quarantine WHERE reason <> 'held_back_parent'",
    ))  # fmt: skip


def held(uri: str) -> dict[str, int]:
    sql = "SELECT table_name, count(DISTINCT source_rowid) FROM odyssey_sync.quarantine GROUP BY 1"
    return dict(ask_postgres(uri, sql))


def told(document: dict[str, Any]) -> dict[str, int]:
    return {table["name"]: table["quarantined"] for table in document["tables"] if table["quarantined"]}


def accounts_for_every_row(document: dict[str, Any]) -> bool:
    for table in document["tables"]:
        (check,) = (each for each in table["checks"] if each["name"] == "quarantine")
        is_told = (check["passed"], check["differences"]) == (not table["quarantined"], table["quarantined"])
        is_sum = table["source_rows"] == table["target_rows"] == ROWS - table["quarantined"]
        if not (is_told and is_sum and check["severity"] == "warning"):
            return False
    return True


def test_bad_rows_wait_are_accounted_for_and_leave_when_they_are_mended(state: Path, source: Path, uri: str) -> None:
    before = dump(uri)
    stopped = odyssey(state, source, uri, "migrate", "--json")
    assert (stopped.status, {each["kind"] for each in stopped.document["findings"] if each["severity"] == "error"}) == (
        1, {"nul_character", "not_utf8"})  # fmt: skip
    assert dump(uri) == before

    migrated = odyssey(state, source, uri, "migrate", "--quarantine", "--json")
    assert migrated.status == 0, migrated.stderr
    assert bad_rows(uri) == BAD_ROWS
    assert told(migrated.document) == held(uri)
    assert accounts_for_every_row(migrated.document)

    reported = odyssey(state, source, uri, "report", str(migrated.document["run_id"]), "--json")
    assert reported.status == 0, reported.stderr
    (page,) = (state / "reports").rglob(f"*{migrated.document['run_id']}*.html")
    assert f"{sum(held(uri).values())} rows are held back in quarantine" in page.read_text()

    verified = odyssey(state, source, uri, "verify", "--json")
    assert (verified.status, told(verified.document)) == (0, held(uri)), verified.stderr

    plant(source, "User", 3, bio=TextBytes(b"\x00"))
    stopped = odyssey(state, source, uri, "sync", "--json")
    assert stopped.status == 1
    assert bad_rows(uri) == BAD_ROWS
    synced = odyssey(state, source, uri, "sync", "--quarantine", "--allow-deletes", "User=1", "--json")
    assert synced.status == 0, synced.stderr
    assert {each[1] for each in bad_rows(uri)} == {"User-1", "User-2", "Feature-0"}
    assert told(synced.document) == held(uri)
    assert accounts_for_every_row(synced.document)

    mend(source)
    plant(source, "User", 3, bio=None)
    mended = odyssey(state, source, uri, "sync", "--json")
    assert mended.status == 0, mended.stderr
    assert (told(mended.document), held(uri)) == ({}, {})
    assert differences(source, uri) == []


def test_a_run_in_dagster_takes_the_policy_from_its_configuration(
    state: Path, source: Path, uri: str, tmp_path: Path
) -> None:
    config = tmp_path / "run.json"
    config.write_text(json.dumps({"resources": {"odyssey": {"config": {"quarantine": True}}}}))
    home = tmp_path / "dagster"
    home.mkdir()
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "odyssey_assets.definitions", "-j", "migrate"]
    given = environment(state, source, uri) | {"DAGSTER_HOME": str(home)}
    refused = run(command, given, tmp_path)
    assert refused.status != 0
    assert "contains a NUL character" in refused.stdout + refused.stderr
    ended = run([*command, "-c", str(config)], given, tmp_path)
    assert ended.status == 0, ended.stderr
    assert bad_rows(uri) == BAD_ROWS
