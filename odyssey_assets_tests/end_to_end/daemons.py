"""Processes that run until they are killed, the real daemon above all, and the instance it serves.

Belongs here: starting and ending them. Does not belong here: what they are watched for.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from odyssey_assets.configuration import (
    ENV_DAGSTER_POSTGRES,
    ENV_POSTGRES,
    ENV_SQLITE,
    ENV_STATE_DIR,
    PROJECT_DIR,
    Settings,
    settings_from_environment,
)
from odyssey_assets.instance import ENV_DAGSTER_STORAGE, prepare_instance
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database

_LOG_SHOWN = 6000


@contextmanager
def instance_settings(folder: Path, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A source, an empty target, and a prepared instance whose storage is PostgreSQL, all named by the environment."""
    with ExitStack() as stack:
        target, storage = (stack.enter_context(fresh_database(server)) for _ in range(2))
        for name in ("DAGSTER_HOME", ENV_DAGSTER_STORAGE):
            monkeypatch.setenv(name, "")
        monkeypatch.setenv(ENV_STATE_DIR, str(folder / "state"))
        monkeypatch.setenv(ENV_SQLITE, str(write_sample(folder / "odyssey.db").path))
        monkeypatch.setenv(ENV_POSTGRES, target)
        monkeypatch.setenv(ENV_DAGSTER_POSTGRES, storage)
        prepare_instance(settings_from_environment())
        yield settings_from_environment()


@contextmanager
def running(command: list[str], log: Path, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """In a process group of its own, which is killed at the end, as at a power cut."""
    with (
        log.open("a") as file,
        subprocess.Popen(
            command,
            cwd=PROJECT_DIR,
            env=environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process
        except BaseException:
            sys.stderr.write(f"{log.name}: {log.read_text()[-_LOG_SHOWN:]}\n")
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def daemon(
    folder: Path, workspace: str, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The daemon of a module's definitions."""
    command = [str(Path(sys.executable).parent / "dagster-daemon"), "run", "-m", workspace]
    with running(command, folder / "daemon.log", {**os.environ, **(environment or {})}) as process:
        yield process
