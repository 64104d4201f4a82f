"""``odyssey alert-test`` as it is typed."""

import pytest
from click.testing import CliRunner

from odyssey_assets.cli import cli
from odyssey_assets_tests.alerts.receivers import HttpReceiver, SmtpReceiver


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ODYSSEY_ALERT_URLS", "ODYSSEY_ALERT_URLS_FILE", "ODYSSEY_HEARTBEAT_URL"):
        monkeypatch.delenv(name, raising=False)


def test_without_configuration_it_says_what_to_set() -> None:
    done = CliRunner().invoke(cli, ["alert-test"])
    assert done.exit_code == 2
    assert "No alerts are configured. Set ODYSSEY_ALERT_URLS" in done.output


def test_every_channel_gets_one_message_whatever_its_severity(
    web: HttpReceiver, mail: SmtpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODYSSEY_ALERT_URLS", f"error={web.url} warning={mail.url}")
    monkeypatch.setenv("ODYSSEY_HEARTBEAT_URL", web.heartbeat_url)
    done = CliRunner().invoke(cli, ["alert-test"])
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "channel 1 (json), for errors: delivered",
        "channel 2 (mailto), for warnings: delivered",
        "heartbeat: answered",
    ]
    assert web.titles == mail.titles == ["Odyssey: test of the alerts"]


def test_a_delivery_that_fails_is_named_and_the_others_are_still_made(
    web: HttpReceiver, mail: SmtpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODYSSEY_ALERT_URLS", f"{web.url} {mail.url}")
    web.status = 500
    done = CliRunner().invoke(cli, ["alert-test"])
    assert done.exit_code == 1
    assert done.output.splitlines() == [
        "channel 1 (json), for errors and warnings: NOT delivered",
        "channel 2 (mailto), for errors and warnings: delivered",
    ]
    assert len(mail.mails) == 1


def test_a_url_that_cannot_be_used_stops_it_before_anything_is_sent(
    web: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODYSSEY_ALERT_URLS", f"{web.url} slack://secret")
    done = CliRunner().invoke(cli, ["alert-test"])
    assert done.exit_code == 2
    assert "secret" not in done.output
    assert web.messages == []
