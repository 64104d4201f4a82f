"""Whether a run can still be at work, asked about code servers that listen, are gone, or never were."""

import json
import socket
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from odyssey_assets.configuration import PROJECT_DIR
from odyssey_assets.run_launcher import WatchedRunLauncher


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own, for the name of a socket must be short."""
    monkeypatch.chdir(tmp_path)


def health(server: dict[str, str | int] | None) -> WorkerStatus:
    tags = {} if server is None else {GRPC_INFO_TAG: json.dumps(server)}
    run = dg.DagsterRun(job_name="sync", run_id=str(uuid4()), status=dg.DagsterRunStatus.STARTED, tags=tags)
    return WatchedRunLauncher().check_run_worker_health(run).status


@pytest.mark.usefixtures("here")
def test_a_run_lives_as_long_as_its_server_listens_on_a_socket() -> None:
    server: dict[str, str | int] = {"host": "localhost", "socket": "server"}
    assert health(server) is WorkerStatus.FAILED
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind("server")
        listener.listen()
        assert health(server) is WorkerStatus.RUNNING
    # A killed server leaves the file.
    assert Path("server").exists()
    assert health(server) is WorkerStatus.FAILED


def test_a_run_lives_as_long_as_its_server_listens_on_a_port() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server: dict[str, str | int] = {"host": "127.0.0.1", "port": listener.getsockname()[1]}
        assert health(server) is WorkerStatus.RUNNING
    assert health(server) is WorkerStatus.FAILED


def test_where_nobody_can_tell_and_where_a_command_executes_it_a_run_counts_as_living() -> None:
    assert health({"host": "no such host.invalid", "port": 1}) is WorkerStatus.RUNNING
    assert health({"host": "localhost", "socket": "x" * 1000}) is WorkerStatus.RUNNING
    assert health(None) is WorkerStatus.RUNNING


def test_dagster_is_told_to_use_it() -> None:
    configuration = (PROJECT_DIR / "dagster.yaml").read_text()
    assert f"module: {WatchedRunLauncher.__module__}" in configuration
    assert f"class: {WatchedRunLauncher.__name__}" in configuration
    assert WatchedRunLauncher().supports_check_run_worker_health
