"""From a tampered row to a person: real runs, the real daemon, real mail and web servers that fail, and a restart."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from odyssey_assets.alerts.state import AlertState, read_state
from odyssey_assets.configuration import Settings
from odyssey_assets.launch import launch
from odyssey_assets.report.document import Document
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.run_history import UNCHANGED_REASON
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.alerts.receivers import HttpReceiver, SmtpReceiver, receiving
from odyssey_assets_tests.end_to_end.daemons import daemon, instance_settings
from odyssey_assets_tests.waiting import wait_until

TABLES = frozenset({"Village"})
WORKSPACE = "odyssey_assets_tests.end_to_end.alerting_workspace"


@pytest.fixture
def settings(tmp_path: Path, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    with instance_settings(tmp_path, server, monkeypatch) as found:
        yield found


def run(settings: Settings, job: str) -> Document:
    return launch(settings, job, TABLES, {}, lambda _: None)


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
    with receiving(web), daemon(tmp_path, WORKSPACE, environment):
        web.status = 500
        wait_until(lambda: len(alert_state(settings).failing_since) == 2)
    refused, waiting = web.refused, alert_state(settings).outbox
    assert (refused > 0, len(waiting), web.messages, web.beats) == (True, 1, [], 0)
    with receiving(web), receiving(mail), daemon(tmp_path, WORKSPACE, environment):
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
