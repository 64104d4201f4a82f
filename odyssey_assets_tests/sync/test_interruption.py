"""A run that is killed: PostgreSQL is as it was, no lock is left, and the next run works."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from odyssey_assets.progress import Phase
from odyssey_assets.sync.run import run
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.statements import prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for
from odyssey_assets_tests.waiting import wait_until_alone

PROGRAM = """
import sys
from pathlib import Path
from odyssey_assets.sync import load
from odyssey_assets.sync.run import run
from odyssey_assets_tests.sync.requests import request_for

load.REBUILD_FROM_ROWS = 5
folder, source, uri = sys.argv[1:]
run(request_for(Path(folder), Path(source), uri), lambda progress: print(progress.phase, progress.table, flush=True))
"""
TRIES = 5


def killed(moment: int | Phase, folder: Path, source: Path, uri: str) -> list[str]:
    """Start a run in a process of its own, kill it once it has told so many things or begun a phase; what it told."""
    command = [sys.executable, "-c", PROGRAM, str(folder), str(source), uri]
    told: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told.append(line.strip())
            if len(told) == moment or line.startswith(str(moment)):
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL
    return told


@pytest.mark.slow
def test_a_run_killed_at_any_moment_leaves_no_trace(tmp_path: Path, source: Path, database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5))
    before = dump(database_uri)
    chance = random.Random(7)
    for moment in [1, Phase.PROOF, *(chance.randrange(2, 150) for _ in range(TRIES - 2))]:
        killed(moment, tmp_path, source, database_uri)
        wait_until_alone(database_uri)
        assert dump(database_uri) == before
    assert run(request_for(tmp_path, source, database_uri)).ok
    assert differences(source, database_uri) == []
    assert not list((tmp_path / "snapshots").glob(".partial-*"))


@pytest.mark.slow
def test_a_run_killed_while_it_commits_has_done_all_or_nothing(tmp_path: Path, source: Path, database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5))
    before = dump(database_uri)
    told = killed(Phase.COMMIT, tmp_path, source, database_uri)
    assert {line.split()[0] for line in told} >= {"snapshot", "load", "index", "proof", "commit"}
    wait_until_alone(database_uri)
    assert dump(database_uri) == before or differences(source, database_uri) == []
    assert run(request_for(tmp_path, source, database_uri)).ok
    assert differences(source, database_uri) == []
