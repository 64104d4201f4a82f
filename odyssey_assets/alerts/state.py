"""What was told and what waits to be told, kept on disk so that no restart forgets it.

Belongs here: the state's shape, its file, and the lock on it. Does not belong here: how it changes (``transitions``).
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from odyssey_assets.alerts.observation import Change, Kind, Message, Notice, Observation
from odyssey_assets.errors import RefusedError
from odyssey_assets.findings import Severity

_FORMAT = 1
_STATE_FILE = "state.json"


@dataclass(frozen=True)
class Trouble:
    """A subject that is broken and was put into a message; ``told_at`` is when it last was."""

    first: Observation
    latest: Observation
    told_at: float
    severities: tuple[Severity, ...]


@dataclass(frozen=True)
class AlertState:
    """Everything that must outlive a tick. Times are Unix seconds.

    ``seen_at`` holds the time of the newest observation of every subject, ``outbox`` what is not delivered everywhere,
    oldest first, ``failing_since`` the channels that took nothing at their last try. Finished runs were looked at up to
    ``looked_until``; it is None before the first look. ``recent_runs`` are those close to that moment.
    """

    seen_at: Mapping[str, float] = field(default_factory=dict)
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    outbox: tuple[Message, ...] = ()
    failing_since: Mapping[str, float] = field(default_factory=dict)
    looked_until: float | None = None
    recent_runs: tuple[str, ...] = ()
    next_number: int = 1


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep every other tick out. Raises RefusedError where one is still at work."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(folder / "lock", timeout=0, mode=0o600):
            yield
    except Timeout as error:
        raise RefusedError("The alerts are still busy with an earlier tick.") from error


def read_state(folder: Path) -> AlertState:
    """The state as it was last written; a new one where there is none.

    A file that cannot be understood is put aside, and everything that is broken will be told again.
    """
    path = folder / _STATE_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] == _FORMAT:
            return _state(document)
    except FileNotFoundError:
        return AlertState()
    except (ValueError, KeyError, TypeError):
        pass
    path.replace(path.with_suffix(".unreadable"))
    return AlertState()


def write_state(folder: Path, state: AlertState) -> None:
    """Replace the file; after a crash at any moment there is the old one or the new one, whole."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = folder / f"{_STATE_FILE}.{os.getpid()}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"format": _FORMAT, **asdict(state)}, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / _STATE_FILE)


def _state(document: Mapping[str, Any]) -> AlertState:
    return AlertState(
        seen_at=document["seen_at"],
        troubles={subject: _trouble(each) for subject, each in document["troubles"].items()},
        outbox=tuple(_message(each) for each in document["outbox"]),
        failing_since=document["failing_since"],
        looked_until=document["looked_until"],
        recent_runs=tuple(document["recent_runs"]),
        next_number=document["next_number"],
    )


def _trouble(document: Mapping[str, Any]) -> Trouble:
    return Trouble(
        _observation(document["first"]),
        _observation(document["latest"]),
        document["told_at"],
        tuple(map(Severity, document["severities"])),
    )


def _message(document: Mapping[str, Any]) -> Message:
    notices = tuple(_notice(each) for each in document["notices"])
    return Message(document["number"], document["at"], notices, tuple(document["delivered"]))


def _notice(document: Mapping[str, Any]) -> Notice:
    return Notice(
        Change(document["change"]),
        _observation(document["observation"]),
        document["since"],
        document["since_snapshot"],
        tuple(map(Severity, document["severities"])),
    )


def _observation(document: Mapping[str, Any]) -> Observation:
    return Observation(**{**document, "kind": Kind(document["kind"]), "severity": Severity(document["severity"])})
