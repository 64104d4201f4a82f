"""Celery with a real Redis as the executor: the worker shares nothing with the run but the databases."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository

from odyssey_assets.configuration import (
    ENV_DAGSTER_POSTGRES,
    ENV_POSTGRES,
    ENV_SQLITE,
    ENV_STATE_DIR,
    PROJECT_DIR,
    settings_from_environment,
)
from odyssey_assets.deployment import ENV_EXECUTOR
from odyssey_assets.executors import ENV_CELERY_BROKER
from odyssey_assets.instance import ENV_DAGSTER_STORAGE, open_instance, prepare_instance
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.deployed import service_command
from odyssey_assets_tests.end_to_end.daemons import running
from odyssey_assets_tests.statements import ask_postgres, ask_sqlite, run_sqlite

REDIS = shutil.which("redis-server")
TABLES = frozenset({"Village"})
ROWS_SQL = 'SELECT "id", "name" FROM "Village" ORDER BY "id"'

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(REDIS is None, reason="Redis is not installed"),
    pytest.mark.skipif(find_spec("dagster_celery") is None, reason="dagster-celery is not installed (extra celery)"),
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A Redis of the test's own, which keeps nothing."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [str(REDIS), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with running(command, tmp_path / "redis.log", os.environ):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def source(tmp_path: Path, server: EmbeddedServer, broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A source, a target that was published from it, and an instance of which runs have their steps done by Celery."""
    with ExitStack() as stack:
        target, storage = (stack.enter_context(fresh_database(server)) for _ in range(2))
        for name in ("DAGSTER_HOME", ENV_DAGSTER_STORAGE):
            monkeypatch.setenv(name, "")
        path = write_sample(tmp_path / "odyssey.db").path
        monkeypatch.setenv(ENV_STATE_DIR, str(tmp_path / "state"))
        monkeypatch.setenv(ENV_SQLITE, str(path))
        monkeypatch.setenv(ENV_POSTGRES, target)
        monkeypatch.setenv(ENV_DAGSTER_POSTGRES, storage)
        monkeypatch.setenv(ENV_CELERY_BROKER, broker)
        monkeypatch.setenv(ENV_EXECUTOR, "celery")
        assert OdysseyEngine().publish_and_verify("migrate", "first", TABLES, frozenset(), applies_changes=False).ok
        prepare_instance(settings_from_environment())
        yield path


def synced() -> list[str]:
    """The messages of a sync by the job that Dagster would load, with the executor that the environment chose."""
    job = ReconstructableRepository.for_module("odyssey_assets.definitions", "defs", str(PROJECT_DIR))
    with open_instance() as instance:
        done = dg.execute_job(
            job.get_reconstructable_job("sync"),
            instance,
            asset_selection=[dg.AssetKey(table) for table in TABLES],
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
        told = [
            str(entry.get_dagster_event().message) for entry in instance.all_logs(done.run_id) if entry.is_dagster_event
        ]
    assert done.success, told
    return told


def test_a_sync_is_done_by_a_celery_worker(source: Path, tmp_path: Path) -> None:
    run_sqlite(source, """UPDATE "Village" SET "name" = 'renamed'""")
    command = service_command("worker")
    command[0] = sys.executable
    with running(command, tmp_path / "worker.log", {**os.environ, ENV_STATE_DIR: str(tmp_path / "worker")}):
        told = synced()
    assert ask_postgres(os.environ[ENV_POSTGRES], ROWS_SQL) == ask_sqlite(source, ROWS_SQL)
    assert "[CeleryExecutor] Executing steps odyssey_tables in celery worker" in told
    # The snapshot was the worker's, in a folder of its own.
    assert list((tmp_path / "worker" / "snapshots").iterdir()) != []
