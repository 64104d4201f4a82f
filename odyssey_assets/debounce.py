"""Waiting for a burst of changes to end before reacting, but never for long.

Belongs here: the decision, as a pure function over what was seen. Does not belong here: seeing (``fingerprint``),
or starting runs (``sensors``).
"""

import json
from dataclasses import asdict, dataclass

LONGEST_WAIT_FACTOR = 10
"""A source that never rests is synced after so many times the debounce."""


@dataclass(frozen=True)
class Watch:
    """What was seen: the fingerprint last acted on, the newest one, when it came, and when the waiting began.

    Times are seconds of any one clock.
    """

    done: str | None = None
    seen: str | None = None
    seen_at: float = 0.0
    waiting_since: float | None = None

    def as_text(self) -> str:
        return json.dumps(asdict(self))


def watch_from(text: str | None) -> Watch:
    """What ``as_text`` kept; a cursor that cannot be read starts anew."""
    try:
        return Watch(**json.loads(text)) if text else Watch()
    except (ValueError, TypeError):
        return Watch()


def look(watch: Watch, fingerprint: str, now: float, debounce_seconds: float) -> tuple[Watch, bool]:
    """The watch after one more look, and whether to act now.

    A clock that was set back counts as no time passed, so it delays by one debounce at most.
    """
    if fingerprint == watch.done:
        return Watch(done=fingerprint), False
    if fingerprint != watch.seen:
        since = watch.waiting_since if watch.waiting_since is not None else now
        watch = Watch(watch.done, fingerprint, now, min(since, now))
    rested = now - watch.seen_at >= debounce_seconds
    waited = watch.waiting_since is not None and now - watch.waiting_since >= LONGEST_WAIT_FACTOR * debounce_seconds
    if now < watch.seen_at:
        return Watch(watch.done, fingerprint, now, now), False
    return (Watch(done=fingerprint), True) if rested or waited else (watch, False)
