"""Ticks over a state on disk: failures of the services, restarts and crashes at the worst moment lose nothing."""

from pathlib import Path

import pytest

from odyssey_assets.alerts.delivery import Sender
from odyssey_assets.alerts.observation import Observation
from odyssey_assets.alerts.settings import AlertSettings, alert_settings_from_environment
from odyssey_assets.alerts.state import AlertState, held, read_state
from odyssey_assets.alerts.tick import Look, TickResult, run_tick
from odyssey_assets.errors import ConfigurationError, RefusedError
from odyssey_assets_tests.alerts.observing import NOON, green, red
from odyssey_assets_tests.alerts.receivers import HttpReceiver, SmtpReceiver

SEND = Sender(attempts=1, wait_seconds=0.01)


class Ticking:
    """Ticks of one state folder; every tick reads it anew, as after a restart."""

    def __init__(self, folder: Path, settings: AlertSettings) -> None:
        self.folder, self.settings, self.now, self.send = folder, settings, NOON, SEND

    def tick(self, *observations: Observation, minutes: float = 1) -> TickResult:
        self.now += 60 * minutes
        return run_tick(
            self.folder,
            self.settings,
            lambda _: Look(observations, self.now, ()),
            self.send,
            lambda: self.now,
            lambda: "http://ui",
        )


@pytest.fixture
def ticking(tmp_path: Path, web: HttpReceiver, mail: SmtpReceiver) -> Ticking:
    """Two channels and a heartbeat, after a first quiet tick."""
    environ = {"ODYSSEY_ALERT_URLS": f"{web.url} {mail.url}", "ODYSSEY_HEARTBEAT_URL": web.heartbeat_url}
    ticks = Ticking(tmp_path / "alerts", alert_settings_from_environment(environ))
    ticks.tick()
    return ticks


def test_quiet_ticks_send_nothing_but_beats(ticking: Ticking, web: HttpReceiver, mail: SmtpReceiver) -> None:
    result = ticking.tick(green())
    assert (web.messages, mail.mails, web.beats) == ([], [], 2)
    assert result == TickResult(0, (), ticking.now, True)


def test_one_transition_is_one_message_for_each_channel(
    ticking: Ticking, web: HttpReceiver, mail: SmtpReceiver
) -> None:
    for at in range(3):
        ticking.tick(red(at=at, run="0f1e2d3c4b5a", rows=2, snapshot="s1"))
    assert web.titles == mail.titles == ["Odyssey: check Vote.rows_equal failed in sync 0f1e2d3c"]
    assert "http://ui/runs/0f1e2d3c4b5a" in web.messages[0]["message"]
    assert "(2 rows)" in mail.mails[0]["message"]
    ticking.tick(green(at=9))
    assert web.titles[1:] == mail.titles[1:] == ["Odyssey: check Vote.rows_equal fine again in sync run-b"]
    assert web.beats == 5


def test_both_services_down_for_a_while_nothing_is_lost(
    ticking: Ticking, web: HttpReceiver, mail: SmtpReceiver
) -> None:
    web.stop()
    mail.refuses = True
    seen = (red("A.nulls", 1), red("B.nulls", 2), green("A.nulls", 3))
    down = [ticking.tick(each, minutes=0.5) for each in seen]
    assert [result.undelivered for result in down] == [
        (f"channel 1 (json): {count}", f"channel 2 (mailto): {count}") for count in (1, 2, 3)
    ]
    assert [result.is_heard for result in down] == [None] * 3
    web.start()
    mail.refuses = False
    result = ticking.tick(minutes=0.5)
    expected = ["check A.nulls failed in sync run-a", "check B.nulls failed in sync run-a"]
    assert [title.removeprefix("Odyssey: ") for title in web.titles[:2]] == expected
    assert web.titles[2] == "Odyssey: check A.nulls fine again in sync run-b"
    assert mail.titles[:3] == web.titles[:3]
    assert (result.undelivered, result.is_heard, read_state(ticking.folder).outbox) == ((), True, ())
    sent = (len(web.messages), len(mail.mails))
    ticking.tick()
    ticking.tick()
    assert read_state(ticking.folder).troubles.keys() == {"check:B.nulls"}
    assert (len(web.messages), len(mail.mails)) == sent


def test_a_working_channel_tells_of_one_that_fails_and_both_of_its_return(
    ticking: Ticking, web: HttpReceiver, mail: SmtpReceiver
) -> None:
    web.status = 500
    ticking.tick(red())
    assert len(mail.mails) == 1
    ticking.tick(minutes=1)
    assert len(mail.mails) == 1
    ticking.tick(minutes=2)
    assert mail.titles[1] == "Odyssey: delivery of alerts to channel 1 (json) failed"
    assert "messages waiting: 1" in mail.mails[1]["message"]
    web.status = 200
    ticking.tick()
    ticking.tick()
    assert mail.titles[2] == "Odyssey: delivery of alerts to channel 1 (json) fine again"
    assert web.titles == mail.titles


def test_a_channel_that_is_taken_away_while_it_fails_ends_its_trouble(
    ticking: Ticking, web: HttpReceiver, mail: SmtpReceiver
) -> None:
    web.status = 500
    ticking.tick(red())
    ticking.tick(minutes=3)
    ticking.settings = alert_settings_from_environment({"ODYSSEY_ALERT_URLS": mail.url})
    ticking.tick()
    assert mail.titles[2] == "Odyssey: delivery of alerts to channel 1 (json) fine again"
    assert "no longer configured" in mail.mails[2]["message"]


class Crash(BaseException):
    """The process ends here."""


def test_a_crash_after_sending_sends_again_rather_than_never(ticking: Ticking, web: HttpReceiver) -> None:
    class Crashing(Sender):
        def __call__(self, *arguments: object) -> bool:
            super().__call__(*arguments)  # type: ignore[arg-type]
            raise Crash

    ticking.send = Crashing(attempts=1)
    with pytest.raises(Crash):
        ticking.tick(red())
    assert len(web.messages) == 1
    ticking.send = SEND
    ticking.tick()
    assert web.titles == [web.titles[0]] * 2


def test_a_crash_before_sending_sends_later(ticking: Ticking, web: HttpReceiver, mail: SmtpReceiver) -> None:
    def crash() -> float:
        raise Crash

    with pytest.raises(Crash):
        run_tick(ticking.folder, ticking.settings, lambda _: Look((red(),), NOON, ()), SEND, crash, lambda: None)
    with pytest.raises(Crash):
        run_tick(
            ticking.folder,
            ticking.settings,
            lambda _: Look((red(),), NOON, ()),
            SEND,
            lambda: NOON,
            crash,  # type: ignore[arg-type]
        )
    ticking.tick()
    assert len(web.messages) == len(mail.mails) == 1


def test_a_reminder_comes_after_the_set_time(ticking: Ticking, web: HttpReceiver) -> None:
    ticking.tick(red())
    ticking.tick(minutes=239)
    assert len(web.messages) == 1
    ticking.tick(minutes=1)
    assert web.titles[1] == "Odyssey: check Vote.rows_equal still failing"


def test_a_look_that_fails_gives_no_sign_of_life(ticking: Ticking, web: HttpReceiver) -> None:
    def blind(_: AlertState) -> Look:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        run_tick(ticking.folder, ticking.settings, blind, SEND, lambda: NOON, lambda: None)
    assert web.beats == 1


def test_a_heartbeat_that_is_not_answered_is_told(ticking: Ticking, web: HttpReceiver) -> None:
    web.status = 503
    result = ticking.tick()
    assert (result.undelivered, result.is_heard) == ((), False)


def test_urls_that_cannot_be_used_end_the_tick_before_anything(ticking: Ticking) -> None:
    before = read_state(ticking.folder)
    ticking.settings = alert_settings_from_environment({"ODYSSEY_ALERT_URLS": "nosuchservice://x"})
    with pytest.raises(ConfigurationError):
        ticking.tick(red())
    assert read_state(ticking.folder) == before


def test_a_second_tick_at_the_same_time_is_refused(ticking: Ticking) -> None:
    with held(ticking.folder), pytest.raises(RefusedError):
        ticking.tick(red())
