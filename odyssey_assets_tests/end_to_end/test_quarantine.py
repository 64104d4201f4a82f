"""`--quarantine` as it is typed: bad rows wait in PostgreSQL, are accounted for, and leave once SQLite is mended."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import Result

from odyssey_assets.configuration import ENV_POSTGRES, ENV_SQLITE
from odyssey_assets.definitions import build_definitions
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.command_line.conftest import document, name_nothing
from odyssey_assets_tests.command_line.conftest import odyssey as typed
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.plain_source import TextBytes, keep_only, plant, write_database
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres

TABLES = ("Village", "User", "Feature", "Feedback", "Vote")
"""Enough to hold back children and grandchildren; a run of all of them leaves thousands of events."""
ROWS = 3
BAD_ROWS = {
    ("User", "User-1", "bio", "nul_character", '{"hex": "610062", "class": "text"}'),
    ("Feature", "Feature-0", "title", "not_utf8", '{"hex": "61ff", "class": "text"}'),
}
"""Table, id, column, reason, and how the cell is kept."""


@pytest.fixture(scope="module")
def storage_uri(server: EmbeddedServer) -> Iterator[str]:
    """A database for Dagster's own tables, made once for the module."""
    with fresh_database(server) as uri:
        yield uri


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = write_database(tmp_path / "odyssey.db", rows=ROWS)
    keep_only(path, TABLES)
    plant(path, "User", 2, bio=TextBytes(b"a\x00b"))
    plant(path, "Feature", 1, title=TextBytes(b"a\xff"))
    return path


@pytest.fixture
def uri(tmp_path: Path, storage_uri: str, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty target, named in the environment like the source."""
    run_postgres(database_uri, prisma_sql(5))
    name_nothing(monkeypatch, tmp_path / "state", storage_uri)
    monkeypatch.setenv(ENV_POSTGRES, database_uri)
    monkeypatch.setenv(ENV_SQLITE, str(source))
    return database_uri


def mend(path: Path) -> None:
    plant(path, "User", 2, bio="ab")
    plant(path, "Feature", 1, title="a")


def odyssey(command: str, *options: str) -> Result:
    return typed(command, "--tables", ",".join(TABLES), *options, "--json")


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


def told(found: dict[str, Any]) -> dict[str, int]:
    return {table["name"]: table["quarantined"] for table in found["tables"] if table["quarantined"]}


def accounts_for_every_row(found: dict[str, Any]) -> bool:
    for table in found["tables"]:
        (check,) = (each for each in table["checks"] if each["name"] == "quarantine")
        is_told = (check["passed"], check["differences"]) == (not table["quarantined"], table["quarantined"])
        is_sum = table["source_rows"] == table["target_rows"] == ROWS - table["quarantined"]
        if not (is_told and is_sum and check["severity"] == "warning"):
            return False
    return True


def test_bad_rows_wait_are_accounted_for_and_leave_when_they_are_mended(source: Path, uri: str, tmp_path: Path) -> None:
    before = dump(uri)
    stopped = odyssey("migrate")
    errors = {each["kind"] for each in document(stopped)["findings"] if each["severity"] == "error"}
    assert (stopped.exit_code, errors) == (1, {"nul_character", "not_utf8"})
    assert dump(uri) == before

    migrated = odyssey("migrate", "--quarantine")
    assert migrated.exit_code == 0, migrated.stderr
    found = document(migrated)
    assert bad_rows(uri) == BAD_ROWS
    assert told(found) == held(uri)
    assert held(uri).keys() > {"User", "Feature"}
    assert accounts_for_every_row(found)

    reported = typed("report", found["run_id"], "--json")
    assert reported.exit_code == 0, reported.stderr
    (page,) = (tmp_path / "state" / "reports").rglob(f"*{found['run_id']}*.html")
    assert f"{sum(held(uri).values())} rows are held back in quarantine" in page.read_text()

    verified = odyssey("verify")
    assert (verified.exit_code, told(document(verified))) == (0, held(uri)), verified.stderr

    plant(source, "User", 3, bio=TextBytes(b"\x00"))
    stopped = odyssey("sync")
    assert stopped.exit_code == 1
    assert bad_rows(uri) == BAD_ROWS
    synced = odyssey("sync", "--quarantine", "--allow-deletes", "User=1")
    assert synced.exit_code == 0, synced.stderr
    assert {each[1] for each in bad_rows(uri)} == {"User-1", "User-2", "Feature-0"}
    assert told(document(synced)) == held(uri)
    assert accounts_for_every_row(document(synced))

    mend(source)
    plant(source, "User", 3, bio=None)
    mended = odyssey("sync")
    assert mended.exit_code == 0, mended.stderr
    assert (told(document(mended)), held(uri)) == ({}, {})
    assert differences(source, uri) == []


def test_a_run_in_dagster_takes_the_policy_from_its_configuration(uri: str) -> None:
    job = build_definitions(tables=TABLES).resolve_job_def("migrate")
    with dg.DagsterInstance.ephemeral() as instance:
        refused = job.execute_in_process(instance=instance, raise_on_error=False)
        assert not refused.success
        assert "contains a NUL character" in str(refused.failure_data_for_node("odyssey_tables"))
        config = {"resources": {"odyssey": {"config": {"quarantine": True}}}}
        assert job.execute_in_process(instance=instance, run_config=config).success
    assert bad_rows(uri) == BAD_ROWS
