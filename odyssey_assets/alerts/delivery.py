"""Handing messages to Apprise, one channel at a time, with retries.

Belongs here: sending, and who has what. Does not belong here: the words (``wording``), or keeping the state (``tick``).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from tenacity import Retrying, retry_if_result, stop_after_attempt, stop_after_delay, wait_exponential

from odyssey_assets.alerts.observation import Message, Notice
from odyssey_assets.alerts.settings import ENV_URLS, Channel
from odyssey_assets.alerts.state import AlertState
from odyssey_assets.alerts.wording import Text, text_of
from odyssey_assets.errors import ConfigurationError
from odyssey_assets.findings import Severity

_ATTEMPTS = 3
_WAIT_SECONDS = 0.5
_SERVICE_SECONDS = 15
"""For one attempt, whatever the service's own limits are."""

_TICK_SECONDS = 30
"""For all deliveries of one tick; Dagster gives a sensor 60 s."""

_TYPES = {Severity.ERROR: NotifyType.FAILURE, Severity.WARNING: NotifyType.WARNING, None: NotifyType.SUCCESS}

Send = Callable[[Channel, Text], bool]


@dataclass(frozen=True)
class Sender:
    """Sends a text to a channel; True once the service has taken it. Waits ``wait_seconds``, then twice that."""

    attempts: int = _ATTEMPTS
    wait_seconds: float = _WAIT_SECONDS

    def __call__(self, channel: Channel, text: Text) -> bool:
        retrying = Retrying(
            retry=retry_if_result(lambda is_taken: not is_taken),
            stop=stop_after_attempt(self.attempts) | stop_after_delay(_TICK_SECONDS),
            wait=wait_exponential(self.wait_seconds),
            retry_error_callback=lambda _: False,
        )
        return bool(retrying(_send_once, channel, text))


def _send_once(channel: Channel, text: Text) -> bool:
    """One attempt, by a plugin of its own: one that was used before waits 5.5 s, and the waiting is done here."""
    return bool(
        _apprise(channel).notify(
            title=text.title, body=text.body, notify_type=_TYPES[text.severity], body_format=NotifyFormat.TEXT
        )
    )


def require_understood(channels: tuple[Channel, ...]) -> None:
    """Raises ConfigurationError for URLs that Apprise does not know what to do with."""
    for channel in channels:
        _apprise(channel)


def deliveries(
    state: AlertState, channels: tuple[Channel, ...], ui_url: str | None, send: Send, clock: Callable[[], float]
) -> Iterator[AlertState]:
    """Try everything in the outbox, and yield the state after each try, to be kept before the next one.

    Every channel takes its messages in order: at the first one it refuses the others wait for the next tick, as they
    do when a tick's time is up. A message leaves the outbox when every channel that is addressed has it.
    """
    began = time.monotonic()
    for channel in channels:
        for message in state.outbox:
            part = _part(message, channel)
            if not part:
                continue
            if time.monotonic() - began > _TICK_SECONDS:
                break
            if not send(channel, text_of(message, part, ui_url)):
                failing_since = {channel.id: clock(), **state.failing_since}
                state = replace(state, failing_since=failing_since)
                yield state
                break
            state = _taken(state, message, channel)
            yield state
    yield _tidied(state, channels)


def waiting(state: AlertState, channel: Channel) -> int:
    """How many messages the channel has not taken."""
    return sum(1 for message in state.outbox if _part(message, channel))


def _part(message: Message, channel: Channel) -> tuple[Notice, ...]:
    """What of the message the channel still has to take."""
    if channel.id in message.delivered:
        return ()
    return tuple(notice for notice in message.notices if channel.takes(notice))


def _taken(state: AlertState, message: Message, channel: Channel) -> AlertState:
    outbox = tuple(
        replace(each, delivered=(*each.delivered, channel.id)) if each.number == message.number else each
        for each in state.outbox
    )
    failing_since = {each: since for each, since in state.failing_since.items() if each != channel.id}
    return replace(state, outbox=outbox, failing_since=failing_since)


def _tidied(state: AlertState, channels: tuple[Channel, ...]) -> AlertState:
    """Without messages that nobody waits for, and without channels that are configured no more."""
    known = {channel.id for channel in channels}
    return replace(
        state,
        outbox=tuple(message for message in state.outbox if any(_part(message, channel) for channel in channels)),
        failing_since={each: since for each, since in state.failing_since.items() if each in known},
    )


def _apprise(channel: Channel) -> Apprise:
    asset = AppriseAsset(
        app_id="Odyssey", app_desc="Odyssey alerts", async_mode=False, service_timeout=_SERVICE_SECONDS
    )
    apprise = Apprise(asset=asset)
    plugin = Apprise.instantiate(channel.url, asset=asset, suppress_exceptions=True)
    if not plugin or not apprise.add(plugin):
        raise ConfigurationError(
            f"Apprise cannot use the URL of {channel.label} in {ENV_URLS}.",
            hint="See the service's page in Apprise's documentation for how its URL is written.",
        )
    return apprise
