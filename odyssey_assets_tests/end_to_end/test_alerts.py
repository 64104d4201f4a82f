"""From a tampered row to a person: real runs, the real daemon, real mail and web servers that fail, and a restart."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from odyssey_assets.alerts.state import AlertState, read_state
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
from odyssey_assets.launch import launch
from odyssey_assets.report.document import Document
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.run_history import UNCHANGED_REASON
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.alerts.receivers import HttpReceiver, SmtpReceiver, receiving
from odyssey_assets_tests.conftest import fresh_database

TABLES = frozenset({"Village"})
PATIENCE_SECONDS = 120


@pytest.fixture
def settings(tmp_path: Path, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A source, an empty target, and an instance whose storage is PostgreSQL."""
    with ExitStack() as stack:
        target, storage = (stack.enter_context(fresh_database(server)) for _ in range(2))
        for name in ("DAGSTER_HOME", ENV_DAGSTER_STORAGE):
            monkeypatch.setenv(name, "")
        monkeypatch.setenv(ENV_STATE_DIR, str(tmp_path / "state"))
        monkeypatch.setenv(ENV_SQLITE, str(write_sample(tmp_path / "odyssey.db").path))
        monkeypatch.setenv(ENV_POSTGRES, target)
        monkeypatch.setenv(ENV_DAGSTER_POSTGRES, storage)
        prepare_instance(settings_from_environment())
        yield settings_from_environment()


def run(settings: Settings, job: str) -> Document:
    return launch(settings, job, TABLES, {}, lambda _: None)


@contextmanager
def daemon(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """The real daemon, killed at the end with all its children, as the machine would at a power cut."""
    command = [str(Path(sys.executable).parent / "dagster-daemon"), "run"]
    with (
        (folder / "daemon.log").open("a") as log,
        subprocess.Popen(
            [*command, "-m", "odyssey_assets_tests.end_to_end.alerting_workspace"],
            cwd=PROJECT_DIR,
            env={**os.environ, **environment},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield
            assert process.poll() is None, "the daemon ended by itself"
        except BaseException:
            sys.stderr.write((folder / "daemon.log").read_text()[-4000:])
            raise
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def wait_until(fact: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < ends_at, "it did not come about"
        time.sleep(0.1)


def alert_state(settings: Settings) -> AlertState:
    return read_state(settings.state_dir / "alerts")


@pytest.mark.slow
def test_alerts_come_through_failing_services_and_a_killed_daemon(settings: Settings, tmp_path: Path) -> None:
    migrated = run(settings, "migrate")
    assert migrated["ok"], migrated
    assert settings.postgres_url is not None
    with closing(psycopg.connect(settings.postgres_url, autocommit=True)) as connection:
        connection.execute('UPDATE "Village" SET name = %s WHERE id = (SELECT min(id) FROM "Village")', ["Intruder"])
    verified = run(settings, "verify")
    assert not verified["ok"]
    web, mail = HttpReceiver(), SmtpReceiver()
    environment = {
        "ODYSSEY_ALERT_URLS": f"{web.url} error={mail.url}",
        "ODYSSEY_HEARTBEAT_URL": web.heartbeat_url,
        "ODYSSEY_UI_URL": "https://odyssey.example.org",
    }
    with receiving(web), daemon(tmp_path, environment):
        web.status = 500
        wait_until(lambda: len(alert_state(settings).failing_since) == 2)
    refused, waiting = web.refused, alert_state(settings).outbox
    assert (refused > 0, len(waiting), web.messages, web.beats) == (True, 1, [], 0)
    with receiving(web), receiving(mail), daemon(tmp_path, environment):
        web.status = 200
        wait_until(lambda: bool(web.messages and mail.mails and web.beats))
        run_name = f"verify {str(verified['run_id'])[:8]}"
        # The tampering is a warning, which the mail does not take.
        assert web.titles == [f"Odyssey: 2 checks and verify failed in {run_name}"]
        assert mail.titles == [f"Odyssey: check Village.rows_equal and verify failed in {run_name}"]
        told = web.messages[0]["message"]
        assert "ERROR check Village.rows_equal (1 row): 0 missing, 0 extra, 1 changed rows" in told
        assert f"https://odyssey.example.org/runs/{verified['run_id']}" in told
        assert f"snapshot {verified['snapshot']['id']}" in told  # type: ignore[index]
        assert "Intruder" not in told + mail.mails[0]["message"]
        assert run(settings, "sync")["ok"]
        assert run(settings, "verify")["ok"]
        wait_until(lambda: alert_state(settings).troubles == {} and alert_state(settings).outbox == ())
    assert any("fine again" in title for title in web.titles)
    assert any("fine again" in title for title in mail.titles)
    unchanged = OdysseyEngine().unchanged(TABLES)
    assert unchanged is not None
    assert unchanged.startswith(UNCHANGED_REASON)
