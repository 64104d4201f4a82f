"""The real daemon and the instance it serves, for tests that kill it.

Belongs here: starting and ending it. Does not belong here: what it is watched for.
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
def daemon(
    folder: Path, workspace: str, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The daemon of a module's definitions; at the end it and its children are killed, as at a power cut."""
    command = [str(Path(sys.executable).parent / "dagster-daemon"), "run", "-m", workspace]
    with (
        (folder / "daemon.log").open("a") as log,
        subprocess.Popen(
            command,
            cwd=PROJECT_DIR,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process
        except BaseException:
            sys.stderr.write((folder / "daemon.log").read_text()[-_LOG_SHOWN:])
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
