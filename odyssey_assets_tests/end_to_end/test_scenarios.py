"""The nights that a migration must survive, each played from its beginning to its end with an application that writes.

What the application told its users is kept in every one of them.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import Result

from odyssey_assets.configuration import ENV_POSTGRES, ENV_SQLITE
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.source.fence import can_write, is_sealed
from odyssey_assets.sync.run import run as run_engine
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.command_line.conftest import name_nothing, odyssey
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.end_to_end.commands import ODYSSEY
from odyssey_assets_tests.end_to_end.stand_in_application import (
    Promises,
    running,
    villages_in_postgresql,
    villages_in_sqlite,
)
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.plain_source import keep_only
from odyssey_assets_tests.statements import ask_postgres, ask_sqlite, prisma_sql, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import request_for

REQUESTS = 12
WRITTEN = ("--tables", "Village")
"""What the application writes; a run of all tables leaves thousands of events in Dagster."""
CARRIED = ("Village", "User", "Feature", "Feedback", "Vote")
"""As many as it takes to be killed between two of them."""
SECONDS = 120.0


@pytest.fixture(scope="module")
def storage_uri(server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(server) as uri:
        yield uri


@pytest.fixture
def source(tmp_path: Path, storage_uri: str, database_uri: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The application's file, and an environment that names it and an empty target."""
    path = write_sample(tmp_path / "dev.db", scale=0.05).path
    name_nothing(monkeypatch, tmp_path / "state", storage_uri)
    monkeypatch.setenv(ENV_POSTGRES, database_uri)
    monkeypatch.setenv(ENV_SQLITE, str(path))
    return path


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def refused(result: Result, status: int, *words: str) -> str:
    assert result.exit_code == status, result.output
    assert all(each in result.output for each in words), result.output
    return result.output


def test_a_migration_that_fails_half_way_is_retried(source: Path, database_uri: str) -> None:
    promises = Promises()
    migrate = ("migrate", "--tables", ",".join(CARRIED))
    keep_only(source, CARRIED)
    run_postgres(database_uri, prisma_sql(5))
    before = dump(database_uri)
    ((vote,),) = ask_sqlite(source, 'SELECT min("id") FROM "Vote"')
    run_sqlite(source, f"""UPDATE "Vote" SET "createdAt" = 'yesterday' WHERE "id" = '{vote}'""")
    with running(f"file:{source}", "before", promises) as application:
        application.served(REQUESTS)
        refused(odyssey(*migrate), 1, "Vote", "createdAt", vote)
        assert dump(database_uri) == before

        run_sqlite(source, f"""UPDATE "Vote" SET "createdAt" = 1760000000000 WHERE "id" = '{vote}'""")
        killed_in_the_middle(database_uri, *migrate)
        assert dump(database_uri) == before
        application.served(REQUESTS)
    # The next one needs nothing to be tidied up.
    done(odyssey(*migrate))
    assert differences(source, database_uri) == []
    assert villages_in_postgresql(database_uri) == promises.villages


def killed_in_the_middle(uri: str, *command: str) -> None:
    """Kill -9 a migration that has written some tables and waits for another, which somebody has locked."""
    with psycopg.connect(uri) as locker:
        locker.execute('LOCK TABLE "Vote" IN SHARE MODE')
        with subprocess.Popen(
            [ODYSSEY, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
        ) as migration:
            deadline = time.monotonic() + SECONDS
            while not ask_postgres(uri, "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'"):
                assert time.monotonic() < deadline
                assert migration.poll() is None
                time.sleep(0.02)
            migration.kill()
        assert migration.returncode == -signal.SIGKILL
    # The server sees at its own pace that the other end is gone.
    deadline = time.monotonic() + SECONDS
    while ask_postgres(uri, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_after_the_switch_back_to_sqlite_without_writes(source: Path, database_uri: str) -> None:
    promises = Promises()
    with running(f"file:{source}", "before", promises) as application:
        application.served(REQUESTS)
        done(odyssey("cutover", "--rehearse", "--yes"))
        application.served(REQUESTS)
    told = done(odyssey("cutover", "--yes"))
    assert "PostgreSQL is the truth." in told
    assert villages_in_postgresql(database_uri) == promises.villages
    # Nobody has forgotten an old process: whatever still writes to SQLite gets a clear error, and is not lost silently.
    with running(f"file:{source}", "forgotten", Promises()) as forgotten:
        forgotten.refused("Odyssey moved to PostgreSQL")
        assert forgotten.promises.villages == {}

    told = done(odyssey("rollback", "--yes"))
    assert f'DATABASE_URL="file:{source}"' in told
    with running(f"file:{source}", "after", promises) as application:
        application.served(REQUESTS)
    assert villages_in_sqlite(source) == promises.villages
    done(odyssey("sync", *WRITTEN))
    assert differences(source, database_uri) == []


def test_after_the_switch_back_to_sqlite_with_everything_written_since(source: Path, database_uri: str) -> None:
    promises = Promises()
    with running(f"file:{source}", "before", promises) as application:
        application.served(REQUESTS)
    done(odyssey("cutover", "--yes"))
    with running(database_uri, "since", promises) as application:
        application.served(REQUESTS)
        refused(odyssey("rollback", "--yes"), 3, "has written to PostgreSQL since the switch", "--carry-back")
        assert is_sealed(source)
        application.served(REQUESTS)
    result = odyssey("rollback", "--carry-back", "--yes", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"]) == (0, True), result.output
    assert villages_in_sqlite(source) == promises.villages
    assert differences(source, database_uri) == []
    kept = Path(document["carried_back"]["old_file"])
    assert {name for name in villages_in_sqlite(kept) if "since" in name} == set()
    with running(f"file:{source}", "after", promises) as application:
        application.served(REQUESTS)
    assert villages_in_sqlite(source) == promises.villages
    assert not promises.refusals


def test_a_damaged_file_and_a_dropped_table_come_back_from_backups(
    source: Path, database_uri: str, tmp_path: Path
) -> None:
    promises = Promises()
    with running(f"file:{source}", "before", promises) as application:
        application.served(REQUESTS)
    assert run_engine(request_for(tmp_path / "state", source, database_uri)).ok
    taken = json.loads(odyssey("backup", "--json").stdout)
    by_kind = {each["kind"]: each["id"] for each in taken["backups"]}

    # A page of the file goes bad, and the next sync must not carry that over.
    before = dump(database_uri)
    run_sqlite(source, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(source.read_bytes())
    page = 4096
    for number in range(5, len(content) // page, 3):
        content[number * page : number * page + 64] = b"\xff" * 64
    source.write_bytes(content)
    refused(odyssey("sync", *WRITTEN), 1, "damaged")
    assert application_tables(dump(database_uri)) == application_tables(before)
    done(odyssey("restore", by_kind["sqlite"], "--to", source, "--yes"))
    assert ask_sqlite(source, "PRAGMA integrity_check") == [("ok",)]
    assert villages_in_sqlite(source) == promises.villages
    with running(f"file:{source}", "after", promises) as application:
        application.served(REQUESTS)
    assert villages_in_sqlite(source) == promises.villages

    # Somebody drops a table of PostgreSQL.
    run_postgres(database_uri, 'DROP TABLE "Vote" CASCADE')
    refused(odyssey("verify", "--tables", "Vote"), 1, "Vote")
    done(odyssey("restore", by_kind["postgresql"], "--into", database_uri, "--replace", "--yes"))
    assert application_tables(dump(database_uri)) == application_tables(before)
    done(odyssey("sync", *WRITTEN))
    assert differences(source, database_uri) == []
    assert villages_in_postgresql(database_uri) == promises.villages


def application_tables(dumped: dict[str, list[tuple[str | None, ...]]]) -> dict[str, list[tuple[str | None, ...]]]:
    return {table: rows for table, rows in dumped.items() if "." not in table}


def test_maintenance_mode_is_not_really_on_and_the_fence_says_who(source: Path, database_uri: str) -> None:
    promises = Promises()
    with running(f"file:{source}", "worker", promises, holds=True) as worker:
        told = refused(odyssey("cutover", "--wait-seconds", "0.2", "--yes"), 3, "Somebody is writing to")
        assert f"(process {worker.process.pid})" in told
        assert not is_sealed(source)
    # It was left alone, and what it was doing is done.
    assert promises.villages == villages_in_sqlite(source) != {}
    assert can_write(source)

    # One that writes in short bursts is kept out, told so, and then told where Odyssey has gone.
    with running(f"file:{source}", "web", promises) as application:
        application.served(REQUESTS)
        done(odyssey("cutover", "--yes"))
        application.refused("Odyssey moved to PostgreSQL")
    assert any("database is locked" in each for each in promises.refusals)
    assert villages_in_postgresql(database_uri) == promises.villages
