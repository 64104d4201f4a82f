"""The sensor as Dagster evaluates it, over real runs, with real services at the other end."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from odyssey_assets.alerts.state import read_state
from odyssey_assets.configuration import ENV_STATE_DIR, DualRun
from odyssey_assets.definitions import build_definitions
from odyssey_assets.errors import UnreachableError
from odyssey_assets.sensors import SECONDS_BETWEEN_ALERTS, alerts_sensor
from odyssey_assets_tests.alerts.receivers import HttpReceiver, receiving
from odyssey_assets_tests.dagster_layer.watched import evaluated, watched_definitions


@pytest.fixture
def web() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    with receiving(receiver):
        yield receiver


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance, a state folder, and nothing configured."""
    monkeypatch.setenv(ENV_STATE_DIR, str(tmp_path / "state"))
    for name in ("ODYSSEY_ALERT_URLS", "ODYSSEY_ALERT_URLS_FILE", "ODYSSEY_HEARTBEAT_URL", "ODYSSEY_UI_URL"):
        monkeypatch.delenv(name, raising=False)
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"telemetry": {"enabled": False}}) as opened:
        yield opened


def tick(instance: dg.DagsterInstance) -> dg.SensorResult:
    """One evaluation."""
    repository = watched_definitions().get_repository_def()
    with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
        result = alerts_sensor(DualRun())(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_without_configuration_it_does_nothing(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    evaluated(instance, {"Vote.nulls": (False, "ERROR")})
    assert "No alerts are configured" in str(tick(instance).skip_reason)
    assert not (tmp_path / "state").exists()


def test_a_red_check_is_told_with_a_link_and_then_its_recovery(
    instance: dg.DagsterInstance, web: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODYSSEY_ALERT_URLS", web.url)
    monkeypatch.setenv("ODYSSEY_HEARTBEAT_URL", web.heartbeat_url)
    monkeypatch.setenv("ODYSSEY_UI_URL", "https://odyssey.example.org")
    first = tick(instance)
    assert (first.run_requests, web.messages, web.beats) == ([], [], 1)
    run_id = evaluated(instance, {"Vote.nulls": (False, "ERROR"), "Vote.rows_equal": (False, "WARN")}, job="verify")
    second = tick(instance)
    assert web.titles == [f"Odyssey: 2 checks failed in verify {run_id[:8]}"]
    assert f"https://odyssey.example.org/runs/{run_id}" in web.messages[0]["message"]
    assert "ERROR check Vote.nulls (3 rows): 3 rows differ" in web.messages[0]["message"]
    assert float(second.cursor or 0) > float(first.cursor or 0)
    evaluated(instance, {"Vote.nulls": (True, "ERROR"), "Vote.rows_equal": (True, "WARN")}, job="verify")
    tick(instance)
    tick(instance)
    assert [title.split(" in ")[0] for title in web.titles[1:]] == ["Odyssey: 2 checks fine again"]
    assert web.beats == 4


def test_the_tick_fails_while_messages_wait_and_the_heart_stands_still(
    instance: dg.DagsterInstance, web: HttpReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ODYSSEY_ALERT_URLS", f"json://127.0.0.1:{web.port}/secret-path")
    monkeypatch.setenv("ODYSSEY_HEARTBEAT_URL", web.heartbeat_url)
    evaluated(instance, {"Vote.nulls": (False, "ERROR")})
    web.stop()
    with pytest.raises(
        UnreachableError, match=r"Messages wait that no service takes: channel 1 \(json\): 1\."
    ) as caught:
        tick(instance)
    assert "secret" not in str(caught.value)
    assert len(read_state(tmp_path / "state" / "alerts").outbox) == 1
    web.start()
    assert tick(instance).skip_reason is not None
    assert (len(web.messages), web.beats) == (1, 1)


def test_it_is_on_from_the_start_where_alerts_are_configured() -> None:
    for has_alerts in (True, False):
        sensors = build_definitions(has_alerts=has_alerts).get_repository_def().sensor_defs
        (alerts,) = (sensor for sensor in sensors if sensor.name == "alerts")
        assert (alerts.default_status is dg.DefaultSensorStatus.RUNNING) is has_alerts
        assert alerts.minimum_interval_seconds == SECONDS_BETWEEN_ALERTS == 30
