"""Dagster's own home and storage, ready before anything of Dagster is used.

Belongs here: the instance's folder, its ``dagster.yaml``, the variables that file asks for, and setting right what
killed processes left in the storage. Does not belong here: definitions, or the application's database.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES, ENV_STATE_DIR, Settings
from odyssey_assets.deployment import deployment_from_environment
from odyssey_assets.target.location import locate_dagster_storage
from odyssey_assets.target.url import dagster_url

ENV_DAGSTER_STORAGE = "ODYSSEY_DAGSTER_STORAGE_URL"
"""What ``dagster.yaml`` reads: the storage's URL in SQLAlchemy's spelling for psycopg2."""

COMMAND_TAG = {"odyssey/started_by": "command line"}
"""On the runs that a command executes in its own process, where no daemon watches them."""

_STATEMENT_SECONDS = 60
_RECYCLE_SECONDS = 3600
_MOST_CONNECTIONS = 20

_UNFINISHED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def prepare_instance(settings: Settings) -> None:
    """Make ``DAGSTER_HOME`` and set the variables that this process and its children need. Idempotent."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Moved into place, so that a process that starts at the same time never reads half of it.
    partial = home / f"dagster.yaml.{os.getpid()}"
    shutil.copyfile(deployment_from_environment().instance_file, partial)
    partial.replace(home / "dagster.yaml")
    storage = locate_dagster_storage(settings)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ[ENV_STATE_DIR] = str(settings.state_dir)
    os.environ[ENV_DAGSTER_POSTGRES] = storage.uri
    os.environ[ENV_DAGSTER_STORAGE] = dagster_url(storage.uri)


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of ``DAGSTER_HOME``, with storage that keeps its connections.

    By itself dagster-postgres connects anew for every statement (measured: 670 logins for a run of every table, more
    than half of the run's processor time); what its webserver asks of the storage ends that.
    """
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(
            statement_timeout=_STATEMENT_SECONDS * 1000, pool_recycle=_RECYCLE_SECONDS, max_overflow=_MOST_CONNECTIONS
        )
        yield instance


@contextmanager
def marked_as_running(settings: Settings, run_id: str) -> Iterator[None]:
    """Hold a lock that says that this process executes the run; the system releases it however the process ends."""
    path = _mark(settings, run_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(path):
        yield
    path.unlink(missing_ok=True)


def close_broken_off_runs(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Record as failed what killed commands left unfinished; the queue would wait for such a run for ever."""
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED, tags=COMMAND_TAG)):
        path = _mark(settings, run.run_id)
        if not path.exists():
            continue
        try:
            with FileLock(path, timeout=0):
                instance.report_run_failed(run, "The process that executed this run was killed.")
        except Timeout:
            continue
        path.unlink(missing_ok=True)


def _mark(settings: Settings, run_id: str) -> Path:
    return settings.state_dir / "runs" / f"{run_id}.lock"
