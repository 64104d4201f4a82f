"""Messages on their way through real servers: retries, order, routing, and nothing marked as taken that was not."""

from dataclasses import replace

import pytest

from odyssey_assets.alerts.delivery import Sender, deliveries, require_understood, waiting
from odyssey_assets.alerts.settings import Channel, channels_from
from odyssey_assets.alerts.state import AlertState
from odyssey_assets.alerts.transitions import judge
from odyssey_assets.alerts.wording import Text
from odyssey_assets.errors import ConfigurationError
from odyssey_assets.findings import Severity
from odyssey_assets_tests.alerts.observing import NOON, green, red
from odyssey_assets_tests.alerts.receivers import HttpReceiver, SmtpReceiver, free_port

TEXT = Text("Odyssey: test – ü", "one\n  two <b> & three", Severity.ERROR)
SEND = Sender(attempts=2, wait_seconds=0.01)


def news(*names: str) -> AlertState:
    """A state with a message for each of these checks."""
    seen = [red(name, place, run=f"run-{place}") for place, name in enumerate(names)]
    return judge(AlertState(looked_until=NOON), seen, NOON, 3600)


def after_delivery(state: AlertState, channels: tuple[Channel, ...], send: Sender = SEND) -> AlertState:
    for kept in deliveries(state, channels, None, send, lambda: NOON):
        state = kept
    return state


def test_a_text_arrives_whole_by_web_and_by_mail(web: HttpReceiver, mail: SmtpReceiver) -> None:
    for channel in channels_from(f"{web.url} {mail.url}"):
        assert SEND(channel, TEXT)
    (posted,), (mailed,) = web.messages, mail.mails
    assert (posted["title"], posted["message"], posted["type"]) == (TEXT.title, TEXT.body, "failure")
    assert (mailed["title"], mailed["to"]) == (TEXT.title, "oncall@example.org")
    assert mailed["message"].split() == TEXT.body.split()


@pytest.mark.parametrize(
    ("severity", "type_"), [(Severity.ERROR, "failure"), (Severity.WARNING, "warning"), (None, "success")]
)
def test_the_severity_is_told_to_the_service(web: HttpReceiver, severity: Severity | None, type_: str) -> None:
    assert SEND(channels_from(web.url)[0], replace(TEXT, severity=severity))
    assert web.messages[0]["type"] == type_


def test_a_hiccup_is_got_over_at_once(web: HttpReceiver) -> None:
    web.statuses = [500, 503]
    assert Sender(attempts=3, wait_seconds=0.01)(channels_from(web.url)[0], TEXT)
    assert (web.refused, len(web.messages)) == (2, 1)


def test_a_service_that_stays_down_is_no_success(web: HttpReceiver, mail: SmtpReceiver) -> None:
    web.status, mail.refuses = 500, True
    urls = f"{web.url} {mail.url} json://127.0.0.1:{free_port()} {SmtpReceiver().url}"
    assert [SEND(channel, TEXT) for channel in channels_from(urls)] == [False] * 4
    assert web.refused == 2


def test_messages_come_in_order_and_leave_the_outbox(web: HttpReceiver, mail: SmtpReceiver) -> None:
    state = after_delivery(news("A.nulls", "B.nulls"), channels_from(f"{web.url} {mail.url}"))
    assert state.outbox == ()
    assert [title.split()[2] for title in web.titles] == ["A.nulls", "B.nulls"]
    assert mail.titles == web.titles


def test_each_taking_is_told_before_the_next_message_is_sent(web: HttpReceiver) -> None:
    steps = deliveries(news("A.nulls", "B.nulls"), channels_from(web.url), None, SEND, lambda: NOON)
    first = next(steps)
    assert len(web.messages) == 1
    assert [len(message.delivered) for message in first.outbox] == [1, 0]


def test_what_one_channel_refuses_waits_for_that_channel_alone(web: HttpReceiver, mail: SmtpReceiver) -> None:
    channels = channels_from(f"{web.url} {mail.url}")
    web.status = 500
    state = after_delivery(news("A.nulls", "B.nulls"), channels)
    assert (len(mail.mails), len(web.messages), web.refused) == (2, 0, 2)
    assert [waiting(state, channel) for channel in channels] == [2, 0]
    assert state.failing_since == {channels[0].id: NOON}
    web.status = 200
    state = after_delivery(state, channels)
    assert (len(mail.mails), len(web.messages)) == (2, 2)
    assert (state.outbox, state.failing_since) == ((), {})


def test_severity_decides_the_channel_and_a_recovery_follows_its_message(web: HttpReceiver, mail: SmtpReceiver) -> None:
    channels = channels_from(f"error={web.url} warning={mail.url}")
    broken = (red("A.nulls", 1), red("B.nulls", 1, severity=Severity.WARNING))
    state = after_delivery(judge(AlertState(looked_until=NOON), broken, NOON, 3600), channels)
    assert ("A.nulls" in web.messages[0]["message"], "B.nulls" in web.messages[0]["message"]) == (True, False)
    assert ("A.nulls" in mail.mails[0]["message"], "B.nulls" in mail.mails[0]["message"]) == (False, True)
    state = after_delivery(judge(state, [green("B.nulls", 2)], NOON, 3600), channels)
    assert (len(web.messages), len(mail.mails)) == (1, 2)
    assert mail.titles[1] == "Odyssey: check B.nulls fine again in sync run-b"
    assert state.outbox == ()


def test_a_warning_that_no_channel_takes_does_not_wait_for_ever(web: HttpReceiver) -> None:
    state = judge(AlertState(looked_until=NOON), [red(severity=Severity.WARNING)], NOON, 3600)
    assert after_delivery(state, channels_from(f"error={web.url}")).outbox == ()
    assert web.messages == []


def test_a_new_channel_gets_what_still_waits(web: HttpReceiver, mail: SmtpReceiver) -> None:
    mail.refuses = True
    state = after_delivery(news("A.nulls"), channels_from(mail.url))
    assert len(state.outbox) == 1
    assert after_delivery(state, channels_from(web.url)).outbox == ()
    assert len(web.messages) == 1


@pytest.mark.parametrize("url", ["nosuchservice://secret", "slack://secret"])
def test_a_url_apprise_does_not_know_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="channel 2") as caught:
        require_understood(channels_from(f"json://localhost {url}"))
    assert "secret" not in str(caught.value)
