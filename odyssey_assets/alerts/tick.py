"""One tick of the alerts: look, decide, keep, deliver, and give a sign of life.

Belongs here: the order of these steps, which is what makes delivery at least once. Does not belong here: the steps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from odyssey_assets.alerts.delivery import Send, deliveries, require_understood, waiting
from odyssey_assets.alerts.heartbeat import ping
from odyssey_assets.alerts.observation import Kind, Observation
from odyssey_assets.alerts.settings import AlertSettings
from odyssey_assets.alerts.state import AlertState, held, read_state, write_state
from odyssey_assets.alerts.transitions import judge

_FAILING_SECONDS = 120
"""A channel that fails for longer than this is told to the others; less is a hiccup."""


@dataclass(frozen=True)
class Look:
    """What there was to see since the last look, and how far it reached."""

    observations: tuple[Observation, ...]
    looked_until: float
    recent_runs: tuple[str, ...]


@dataclass(frozen=True)
class TickResult:
    """``undelivered`` says which channels have how many messages still to take; ``is_heard`` whether the heartbeat
    was answered, None where none is configured or the tick was not healthy."""

    news: int
    undelivered: tuple[str, ...]
    looked_until: float
    is_heard: bool | None


def run_tick(
    folder: Path,
    settings: AlertSettings,
    look: Callable[[AlertState], Look],
    send: Send,
    clock: Callable[[], float],
    ui_url: Callable[[], str | None],
) -> TickResult:
    """One tick over the state in ``folder``.

    News is on disk before it is sent, and marked as sent only after the channel took it: a crash in between sends it
    twice, never not at all. Raises RefusedError while another tick is at work, ConfigurationError for unusable URLs,
    and whatever ``look`` raises; then there is no heartbeat either.
    """
    with held(folder):
        require_understood(settings.channels)
        before = read_state(folder)
        seen = look(before)
        now = clock()
        observations = (*seen.observations, *_channels(before, settings, now))
        state = judge(before, observations, now, settings.reminder_seconds)
        state = replace(state, looked_until=seen.looked_until, recent_runs=seen.recent_runs)
        write_state(folder, state)
        if state.outbox or state.failing_since:
            link = settings.ui_url or ui_url()
            for kept in deliveries(state, settings.channels, link, send, clock):
                write_state(folder, kept)
                state = kept
    undelivered = tuple(_undelivered(state, settings))
    is_heard = ping(settings.heartbeat_url) if settings.heartbeat_url and not undelivered else None
    return TickResult(state.next_number - before.next_number, undelivered, seen.looked_until, is_heard)


def _channels(state: AlertState, settings: AlertSettings, now: float) -> Iterator[Observation]:
    """The channels themselves are watched too, so that a working one tells of one that is not."""
    labels = {channel.label for channel in settings.channels}
    for trouble in state.troubles.values():
        if trouble.latest.kind is Kind.DELIVERY and trouble.latest.name not in labels:
            yield Observation(Kind.DELIVERY, trouble.latest.name, now, is_broken=False, detail="no longer configured")
    for channel in settings.channels:
        since = state.failing_since.get(channel.id)
        is_broken = since is not None and now - since >= _FAILING_SECONDS
        detail = f"messages waiting: {waiting(state, channel)}" if is_broken else ""
        yield Observation(Kind.DELIVERY, channel.label, now, is_broken, detail=detail, began_at=since)


def _undelivered(state: AlertState, settings: AlertSettings) -> Iterator[str]:
    for channel in settings.channels:
        count = waiting(state, channel)
        if count:
            yield f"{channel.label}: {count}"
