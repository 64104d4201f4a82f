"""Ctrl-C and SIGTERM while a real command works: one sentence, the status shells know, and PostgreSQL as it was."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.run import run as run_engine
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.end_to_end.commands import ODYSSEY, PATIENCE_SECONDS, surroundings
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.statements import ask_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import request_for

WAITING_SQL = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
MADE_MEANWHILE = 'CREATE TABLE "Village" (id int)'
LOCKED_MEANWHILE = 'LOCK TABLE "Village" IN ACCESS EXCLUSIVE MODE'
SENTENCES = {
    signal.SIGINT: (130, "Interrupted by Ctrl-C. PostgreSQL takes back what was not committed."),
    signal.SIGTERM: (143, "Ended by SIGTERM. PostgreSQL takes back what was not committed."),
}


@pytest.fixture(scope="module")
def storage_uri(server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(server) as uri:
        yield uri


@pytest.fixture
def environment(tmp_path: Path, storage_uri: str) -> dict[str, str]:
    return surroundings(tmp_path / "state", {ENV_DAGSTER_POSTGRES: storage_uri})


@contextmanager
def held_up(uri: str, statement: str) -> Iterator[psycopg.Connection[Any]]:
    """Another session in a transaction that the command has to wait for, in the middle of its own."""
    with psycopg.connect(uri) as session:
        session.execute(statement)
        yield session
        session.rollback()


def wait_until_it_waits(uri: str, process: "subprocess.Popen[str]") -> None:
    for _ in range(10 * PATIENCE_SECONDS):
        assert process.poll() is None
        if ask_postgres(uri, WAITING_SQL) != [(0,)]:
            return
        time.sleep(0.1)
    raise AssertionError("the command never came to wait")


@pytest.mark.parametrize(
    ("command", "number", "statement"),
    [
        ("migrate", signal.SIGINT, MADE_MEANWHILE),
        ("sync", signal.SIGTERM, LOCKED_MEANWHILE),
        ("verify", signal.SIGINT, LOCKED_MEANWHILE),
    ],
)
def test_a_command_that_is_told_to_end_ends_and_changes_nothing(
    database_uri: str, environment: dict[str, str], tmp_path: Path, command: str, number: signal.Signals, statement: str
) -> None:
    source = write_sample(tmp_path / "odyssey.db", scale=0.1).path
    arguments = ["--sqlite", str(source), "--postgres", database_uri, "--tables", "Village,Vote", "--json"]
    if command != "migrate":
        assert run_engine(request_for(tmp_path / "before", source, database_uri)).ok
        run_sqlite(source, """UPDATE "Vote" SET "weight" = "weight" + 1""")
    before = dump(database_uri)
    with held_up(database_uri, statement) as session:
        process = subprocess.Popen(
            [ODYSSEY, command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_until_it_waits(database_uri, process)
        process.send_signal(number)
        session.rollback()
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    status, sentence = SENTENCES[number]
    assert process.returncode == status, stderr
    assert stderr.count(sentence) == 1
    assert "Traceback" not in stderr
    assert "without a report" not in stderr
    document = json.loads(stdout)
    assert (document["ok"], document["exit_status"]) == (False, status)
    assert dump(database_uri) == before
    assert status_of(environment, document["run_id"]) is dg.DagsterRunStatus.CANCELED
    again = run_engine(request_for(tmp_path / "after", source, database_uri, applies_changes=True))
    assert again.problem is None


def status_of(environment: dict[str, str], run_id: str) -> dg.DagsterRunStatus:
    ((status,),) = ask_postgres(environment[ENV_DAGSTER_POSTGRES], f"SELECT status FROM runs WHERE run_id = '{run_id}'")
    return dg.DagsterRunStatus(status)
