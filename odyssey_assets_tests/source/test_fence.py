"""The fence: nobody writes while it stands, everybody reads, and it falls with its time or with whoever raised it."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from odyssey_assets.errors import ConfigurationError, RefusedError
from odyssey_assets.source import fence
from odyssey_assets.source.fence import Fence, can_write, fenced, is_sealed, openers, unseal
from odyssey_assets.source.snapshot import file_sha256, require_sqlite_file, take_snapshot
from odyssey_assets_tests.plain_source import write_database
from odyssey_assets_tests.statements import run_sqlite

ADD_VILLAGE = """INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt") VALUES ('new', 'new', 1, 2)"""
PATIENCE_SECONDS = 20.0


@pytest.fixture(params=["delete", "wal"])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = write_database(tmp_path / "odyssey.db", rows=2)
    run_sqlite(path, f"PRAGMA journal_mode = {request.param}")
    return path


@contextmanager
def up(path: Path, seconds: float = 60.0, wait_seconds: float = 5.0) -> Iterator[Fence]:
    with fenced(path, seconds=seconds, wait_seconds=wait_seconds) as standing:
        yield standing


def write(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=0)) as connection, connection:
        connection.execute(ADD_VILLAGE)


def villages(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute('SELECT count(*) FROM "Village"').fetchone()
    return int(count)


@contextmanager
def open_transaction(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(ADD_VILLAGE)
        yield
        connection.execute("ROLLBACK")


@contextmanager
def other_writer(path: Path, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    """Another process in the middle of writing, which commits after ``seconds``."""
    command = [sys.executable, "-c", _WRITE, str(path), ADD_VILLAGE, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        yield writer
        writer.kill()


def test_nobody_writes_and_everybody_reads_until_it_falls(live: Path, tmp_path: Path) -> None:
    with up(live) as standing:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            write(live)
        assert villages(live) == 2
        assert take_snapshot(live, tmp_path / "snapshots").bytes > 0
        standing.require_standing()
        assert 0 < standing.remaining_seconds <= 60
    write(live)
    assert villages(live) == 3


def test_it_outlives_this_process_closing_the_file(live: Path) -> None:
    with up(live) as standing:
        for _ in range(3):
            require_sqlite_file(live)
            file_sha256(live)
            villages(live)
            assert not can_write(live)
        standing.require_standing()


def test_a_fence_of_this_process_itself_would_fall(tmp_path: Path) -> None:
    """Why there is a keeper: should SQLite ever change this, the keeper can go."""
    live = write_database(tmp_path / "odyssey.db", rows=2)
    with open_transaction(live):
        file_sha256(live)
        subprocess.run([sys.executable, "-c", _WRITE, str(live), ADD_VILLAGE, "0"], check=True)


def test_a_writer_that_stays_is_named(live: Path) -> None:
    with (
        other_writer(live, seconds=600) as writer,
        pytest.raises(RefusedError, match=rf"writing to .*process {writer.pid}\)") as raised,
        up(live, wait_seconds=0.1),
    ):
        pytest.fail("the fence stood beside a writer")
    assert raised.value.exit_status == 3
    assert "maintenance mode" in raised.value.hint
    assert can_write(live)


def test_a_writer_that_finishes_is_waited_for(live: Path) -> None:
    with other_writer(live, seconds=0.5), up(live, wait_seconds=PATIENCE_SECONDS):
        assert villages(live) == 3


def test_it_falls_when_its_time_is_up(live: Path) -> None:
    with up(live, seconds=0.3) as standing:
        standing.keeper.wait(PATIENCE_SECONDS)
        assert can_write(live)
        with pytest.raises(RefusedError, match="has run out"):
            standing.require_standing()
        with pytest.raises(RefusedError, match="could not be sealed"):
            standing.seal("too late")
    assert not is_sealed(live)


def test_it_falls_with_the_process_that_raised_it(live: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from odyssey_assets.source.fence import fenced\n"
        "with fenced(Path(sys.argv[1]), seconds=600, wait_seconds=1): print('up', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(live)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        assert not can_write(live)
        owner.send_signal(signal.SIGKILL)
    assert can_write(live, wait_seconds=PATIENCE_SECONDS)


def test_a_second_fence_is_refused(live: Path) -> None:
    with up(live), pytest.raises(RefusedError, match="does not stop"), up(live, wait_seconds=0.1):
        pytest.fail("two fences at once")


def test_a_seal_gives_every_writer_its_reason_without_a_gap(live: Path) -> None:
    with closing(sqlite3.connect(live, timeout=PATIENCE_SECONDS)) as waiting:
        waiting.execute("PRAGMA foreign_keys = ON")
        with up(live) as standing:
            standing.seal("Odyssey's data moved to PostgreSQL")
            for statement in (ADD_VILLAGE, 'UPDATE "Village" SET "name" = 1', 'DELETE FROM "User"'):
                with pytest.raises(sqlite3.IntegrityError, match="Odyssey's data moved to PostgreSQL"):
                    waiting.execute(statement)
    assert is_sealed(live)
    assert villages(live) == 2
    with pytest.raises(sqlite3.IntegrityError, match="moved"):
        write(live)


def test_every_table_is_sealed(live: Path) -> None:
    with up(live) as standing:
        standing.seal("moved")
    with closing(sqlite3.connect(live)) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            )
        ]
        assert len(tables) >= 37
        for table in tables:
            with pytest.raises(sqlite3.IntegrityError, match="moved"):
                connection.execute(f'INSERT INTO "{table}" DEFAULT VALUES')


def test_taking_a_seal_away_leaves_the_file_as_it_was(live: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(live)) as connection:
        before = list(connection.iterdump())
    with up(live) as standing:
        standing.seal("moved")
    assert unseal(live)
    assert not unseal(live)
    with closing(sqlite3.connect(live)) as connection:
        assert list(connection.iterdump()) == before
    write(live)


def test_a_seal_that_readers_keep_out_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    live = write_database(tmp_path / "odyssey.db", rows=2)
    with closing(sqlite3.connect(live, isolation_level=None)) as reader:
        with up(live, wait_seconds=0.1) as standing:
            reader.execute("BEGIN")
            reader.execute('SELECT * FROM "Village"').fetchone()
            with pytest.raises(RefusedError, match="could not be sealed: database is locked"):
                standing.seal("moved")
        assert can_write(live)
    assert not is_sealed(live)


def test_locks_that_do_not_work_are_noticed(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "can_write", lambda _: True)
    with pytest.raises(RefusedError, match="locks do not work"), up(live):
        pytest.fail("an open fence was taken for a closed one")


def test_a_file_that_may_not_be_written_cannot_be_fenced(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no SQLite file"), up(tmp_path / "none.db"):
        pytest.fail("a fence around nothing")


def test_openers_are_named(live: Path) -> None:
    assert not any(f"process {os.getpid()}" in each for each in openers(live))
    with closing(sqlite3.connect(live)) as connection:
        connection.execute('SELECT * FROM "Village"').fetchone()
        assert any(f"process {os.getpid()}" in each for each in openers(live))


def test_the_keeper_is_gone_afterwards(live: Path) -> None:
    with up(live) as standing:
        pid = standing.keeper.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


_WRITE = """\
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], timeout=0)
db.execute(sys.argv[2])
print("writing", flush=True)
time.sleep(float(sys.argv[3]))
db.commit()
"""
