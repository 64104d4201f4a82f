"""Dagster's home and storage as the commands make them ready, and what killed commands leave in it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from odyssey_assets.assets import odyssey_tables
from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES, ENV_STATE_DIR, PROJECT_DIR, settings_from_environment
from odyssey_assets.instance import (
    COMMAND_TAG,
    ENV_DAGSTER_STORAGE,
    close_broken_off_runs,
    marked_as_running,
    prepare_instance,
)
from odyssey_assets.metadata import POOL
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database


@pytest.fixture(scope="module")
def storage_uri(server: EmbeddedServer) -> Iterator[str]:
    """A database for Dagster's own tables, made once for the module."""
    with fresh_database(server) as uri:
        yield uri


@pytest.fixture
def prepared(tmp_path: Path, storage_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance as the commands have it."""
    for name in ("DAGSTER_HOME", ENV_DAGSTER_STORAGE):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv(ENV_STATE_DIR, str(tmp_path / "state"))
    monkeypatch.setenv(ENV_DAGSTER_POSTGRES, f"{storage_uri}&connect_timeout=10")
    prepare_instance(settings_from_environment())
    with dg.DagsterInstance.get() as instance:
        yield instance


def test_everything_of_dagster_is_kept_in_postgres(prepared: dg.DagsterInstance) -> None:
    assert isinstance(prepared.run_storage, PostgresRunStorage)
    assert isinstance(prepared.event_log_storage, PostgresEventLogStorage)
    assert isinstance(prepared.schedule_storage, PostgresScheduleStorage)


def test_the_home_is_this_users_alone_and_says_nothing_secret(
    prepared: dg.DagsterInstance, tmp_path: Path, storage_uri: str
) -> None:
    home = tmp_path / "state" / "dagster"
    assert os.environ["DAGSTER_HOME"] == str(home)
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "dagster.yaml").read_text() == (PROJECT_DIR / "dagster.yaml").read_text()
    password = storage_uri.split("@")[0].rsplit(":", 1)[1]
    assert password not in "".join(path.read_text() for path in home.rglob("*") if path.is_file())
    assert password not in str(prepared.get_ref())


def test_variables_are_set_for_children(prepared: dg.DagsterInstance, tmp_path: Path, storage_uri: str) -> None:
    assert os.environ[ENV_STATE_DIR] == str(tmp_path / "state")
    assert os.environ[ENV_DAGSTER_STORAGE].startswith("postgresql+psycopg2://")
    assert os.environ[ENV_DAGSTER_POSTGRES].startswith(storage_uri.split("?")[0])


def test_preparing_twice_is_preparing_once(prepared: dg.DagsterInstance, tmp_path: Path) -> None:
    before = dict(os.environ)
    prepare_instance(settings_from_environment())
    assert dict(os.environ) == before
    assert [path.name for path in (tmp_path / "state" / "dagster").glob("dagster.yaml*")] == ["dagster.yaml"]


def test_one_run_at_a_time_and_no_nagging(prepared: dg.DagsterInstance) -> None:
    pools = prepared.get_concurrency_config().pool_config
    assert pools.default_pool_limit == 1
    assert pools.pool_granularity is not None
    assert pools.pool_granularity.value == "run"
    assert odyssey_tables.op.pool == POOL
    assert prepared.telemetry_enabled is False
    assert prepared.nux_enabled is False


@dg.job
def an_empty_job() -> None:
    """A run of it can be in any state."""


def started_run(instance: dg.DagsterInstance, run_id: str, tags: dict[str, str]) -> str:
    return instance.create_run_for_job(
        an_empty_job, run_id=run_id, status=dg.DagsterRunStatus.STARTED, tags=tags
    ).run_id


def status_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_the_run_of_a_killed_command_is_recorded_as_failed(prepared: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = started_run(prepared, "00000000-0000-4000-8000-000000000001", COMMAND_TAG)
    holder = f"""
import time
from odyssey_assets.configuration import settings_from_environment
from odyssey_assets.instance import marked_as_running
with marked_as_running(settings_from_environment(), "{run_id}"):
    print("held", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        close_broken_off_runs(settings_from_environment(), prepared)
        assert status_of(prepared, run_id) is dg.DagsterRunStatus.STARTED
        process.send_signal(signal.SIGKILL)
    close_broken_off_runs(settings_from_environment(), prepared)
    assert status_of(prepared, run_id) is dg.DagsterRunStatus.FAILURE
    assert list((tmp_path / "state" / "runs").iterdir()) == []


def test_runs_of_the_ui_and_of_other_machines_are_left_alone(prepared: dg.DagsterInstance) -> None:
    others = [
        started_run(prepared, "00000000-0000-4000-8000-000000000002", {}),
        started_run(prepared, "00000000-0000-4000-8000-000000000003", COMMAND_TAG),
    ]
    close_broken_off_runs(settings_from_environment(), prepared)
    assert [status_of(prepared, run_id) for run_id in others] == [dg.DagsterRunStatus.STARTED] * 2


def test_a_run_that_ends_leaves_no_mark(prepared: dg.DagsterInstance, tmp_path: Path) -> None:
    with marked_as_running(settings_from_environment(), "some-run"):
        assert [path.name for path in (tmp_path / "state" / "runs").iterdir()] == ["some-run.lock"]
    assert list((tmp_path / "state" / "runs").iterdir()) == []
