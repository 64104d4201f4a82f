"""Typing the ``odyssey`` command in a test: a state folder of the test's own, nothing named, everything taken back.

Belongs here: fixtures, running the command in this process, what every refusal has in common. Does not belong here:
the command as a process of its own (``end_to_end``).
"""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner, Result

from odyssey_assets.cli import cli
from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES, ENV_POSTGRES, ENV_SQLITE, ENV_STATE_DIR
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database

PASSWORD = "s3cret-%-word"
SOME = "Village,HRISSync"


@pytest.fixture(scope="module")
def storage_uri(server: EmbeddedServer) -> Iterator[str]:
    """A database for Dagster's own tables, made once for the module."""
    with fresh_database(server) as uri:
        yield uri


def name_nothing(monkeypatch: pytest.MonkeyPatch, state_dir: Path, storage_uri: str) -> None:
    """A state folder of the test's own and no database named; whatever a command sets is taken back."""
    for name in ("DAGSTER_HOME", "ODYSSEY_DAGSTER_STORAGE_URL", ENV_POSTGRES, ENV_SQLITE):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv(ENV_STATE_DIR, str(state_dir))
    monkeypatch.setenv(ENV_DAGSTER_POSTGRES, storage_uri)


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, storage_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name_nothing(monkeypatch, tmp_path / "state", storage_uri)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "odyssey.db", scale=0.1).path


@pytest.fixture
def limited_uri(server: EmbeddedServer, database_uri: str) -> Iterator[str]:
    """The test's database, for a role that may do nothing there but connect."""
    role = f"limited_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server.uri_of("postgres"), autocommit=True) as connection:
        connection.execute(f"""CREATE ROLE "{role}" LOGIN PASSWORD '{PASSWORD}'""")  # type: ignore[call-overload]
        try:
            yield with_login(database_uri, role, PASSWORD)
        finally:
            connection.execute(f'DROP ROLE "{role}"')  # type: ignore[call-overload]


def with_login(uri: str, user: str, password: str) -> str:
    parts = urlsplit(uri)
    quoted = password.replace("%", "%25")
    return parts._replace(netloc=f"{user}:{quoted}@{parts.hostname}:{parts.port}").geturl()


def odyssey(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def document(result: Result) -> dict[str, Any]:
    """Everything on stdout as the one document it must be."""
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def assert_refused(result: Result, status: int, *sentence: str) -> None:
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    assert PASSWORD not in result.output
    assert PASSWORD.replace("%", "%25") not in result.output
    told = [line for line in result.stderr.splitlines() if sentence[0] in line]
    assert len(told) == 1, result.stderr
    assert all(part in told[0] for part in sentence), told
    assert told[0].rstrip().endswith(".")
