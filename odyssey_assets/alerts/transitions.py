"""What is news: observations and what was known before become messages.

Belongs here: pure decisions, no clock, no disk, no network. Does not belong here: observing, or words.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from odyssey_assets.alerts.observation import Change, Kind, Message, Notice, Observation
from odyssey_assets.alerts.state import AlertState, Trouble
from odyssey_assets.findings import Severity

_EVERYONE = (Severity.ERROR, Severity.WARNING)


@dataclass(frozen=True)
class _Step:
    """What one observation makes of its subject."""

    trouble: Trouble | None
    notice: Notice | None


def judge(state: AlertState, observations: Iterable[Observation], now: float, reminder_seconds: float) -> AlertState:
    """The state after these observations; its outbox has grown by a message for each run that brought news.

    Observations are taken in the order of their times, whatever order they come in, and those older than what was seen
    already are ignored, so seeing something twice changes nothing. Before the first look, history is no news: only the
    newest observation of each subject counts.
    """
    seen_at, troubles = dict(state.seen_at), dict(state.troubles)
    notices: list[Notice] = []
    ordered = sorted(observations, key=lambda each: each.at)
    if state.looked_until is None:
        ordered = list({each.subject: each for each in ordered}.values())
    for observation in ordered:
        subject = observation.subject
        if observation.at < seen_at.get(subject, observation.at):
            continue
        seen_at[subject] = observation.at
        step = _step(troubles.pop(subject, None), observation, now)
        if step.trouble is not None:
            troubles[subject] = step.trouble
        if step.notice is not None:
            notices.append(step.notice)
    told = _told(replace(state, seen_at=seen_at, troubles=troubles), _grouped(notices), now)
    return _reminded(told, now, reminder_seconds)


def _step(trouble: Trouble | None, observation: Observation, now: float) -> _Step:
    if not observation.is_broken:
        return _Step(None, None if trouble is None else _notice(Change.RECOVERED, trouble, observation))
    severities = _EVERYONE if observation.kind is Kind.DELIVERY else (observation.severity,)
    if trouble is None:
        trouble = Trouble(observation, observation, now, severities)
        return _Step(trouble, _notice(Change.BROKEN, trouble, observation))
    if not _is_news(trouble.latest, observation):
        return _Step(replace(trouble, latest=observation), None)
    everyone_told = tuple(dict.fromkeys((*trouble.severities, *severities)))
    trouble = Trouble(trouble.first, observation, now, everyone_told)
    return _Step(trouble, _notice(Change.CHANGED, trouble, observation))


def _is_news(before: Observation, after: Observation) -> bool:
    """A failure of another cause is news, and a warning that became an error; other counts of rows are not."""
    is_worse = (before.severity, after.severity) == (Severity.WARNING, Severity.ERROR)
    return is_worse or before.cause != after.cause


def _notice(change: Change, trouble: Trouble, observation: Observation) -> Notice:
    first = trouble.first
    since = first.at if first.began_at is None else first.began_at
    return Notice(change, observation, since, first.snapshot_id, trouble.severities)


def _grouped(notices: list[Notice]) -> list[tuple[Notice, ...]]:
    """One group for each run, and one for each kind of what no run tells, in the order of their first notice."""
    groups: dict[str, list[Notice]] = {}
    for notice in notices:
        observation = notice.observation
        groups.setdefault(observation.run_id or f"{observation.kind} {notice.change}", []).append(notice)
    return [tuple(group) for group in groups.values()]


def _told(state: AlertState, groups: list[tuple[Notice, ...]], now: float) -> AlertState:
    messages = tuple(Message(state.next_number + place, now, group) for place, group in enumerate(groups))
    return replace(state, outbox=(*state.outbox, *messages), next_number=state.next_number + len(messages))


def _reminded(state: AlertState, now: float, reminder_seconds: float) -> AlertState:
    """One message for everything whose last telling is long ago; what still waits in the outbox needs no reminder."""
    waiting = {notice.observation.subject for message in state.outbox for notice in message.notices}
    due = {
        subject: replace(trouble, told_at=now)
        for subject, trouble in state.troubles.items()
        if now - trouble.told_at >= reminder_seconds and subject not in waiting
    }
    if not due:
        return state
    notices = tuple(_notice(Change.STILL, trouble, trouble.latest) for trouble in due.values())
    return _told(replace(state, troubles={**state.troubles, **due}), [notices], now)
