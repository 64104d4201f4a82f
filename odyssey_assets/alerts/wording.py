"""The text of a message: what broke, how many rows, since when, since which snapshot, where to look, what to do.

Belongs here: words. Does not belong here: which messages there are (``transitions``), or values of rows, ever.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from odyssey_assets.alerts.observation import Change, Kind, Message, Notice
from odyssey_assets.compare.checks import CheckName
from odyssey_assets.findings import Severity

MOST_NOTICES = 12
"""Spelled out in one message; the run has all. Keeps 37 tables times their checks within what chat services take."""

_HINTS = {
    CheckName.ROW_COUNT: "See the check for both numbers; odyssey sync brings PostgreSQL in step.",
    CheckName.NULLS: "See the check for the columns; odyssey sync brings PostgreSQL in step.",
    CheckName.FOREIGN_KEYS: "Find out who changed the schema or its rows, restore the constraint, then odyssey verify.",
    CheckName.ROWS_EQUAL: "See the check for keys and columns; odyssey sync brings PostgreSQL in step. If it comes "
    "back, something else writes to PostgreSQL.",
    CheckName.QUARANTINE: "Mend the rows in SQLite; the next sync brings them over.",
    CheckName.TAMPERING: "Find out who writes to PostgreSQL besides this project; the check lists keys and columns.",
    CheckName.SCHEMA: "Find out who changed the schema, and bring it back to what Prisma makes before the cutover.",
    CheckName.SOFT_REFERENCES: "See the check for column and row; whether the row or the id is wrong, the application "
    "must say.",
    CheckName.DATE_ENCODING: "Find out what writes dates in another form, such as a new Prisma; they are carried.",
}
_OTHER_CHECK = "See the check in the Dagster UI."
_OVERDUE = "See whether the daemon runs and the schedule resync is on, and what its last runs say."
_DELIVERY = "See whether the service can be reached and its URL is still valid; odyssey alert-test tells."

_PLURALS = {Kind.CHECK: "checks", Kind.JOB: "jobs", Kind.OVERDUE: "overdue tables", Kind.DELIVERY: "channels"}

_VALUES = (
    (re.compile(r"\b(Key \([^)]*\))=\(.*?\)(?=[ .;]|$)"), r"\1=(...)"),
    (re.compile(r"(\w+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"), r"\1=..."),
    (re.compile(r"(invalid [^:]*): \"[^\"]*\""), r"\1"),
    (re.compile(r"://[^/@\s]*@"), "://...@"),
)
"""What of a database's own words is a value or a password, and what stands in its place."""


@dataclass(frozen=True)
class Text:
    """A message as it is sent. ``severity`` is the worst of what is still broken; None for good news alone."""

    title: str
    body: str
    severity: Severity | None


def text_of(message: Message, notices: Sequence[Notice], ui_url: str | None) -> Text:
    """The message for a channel that takes these of its notices."""
    ordered = sorted(notices, key=_urgency)
    lines = [line for notice in ordered[:MOST_NOTICES] for line in (*_lines(notice), "")]
    if len(ordered) > MOST_NOTICES:
        lines += [f"... and {len(ordered) - MOST_NOTICES} more.", ""]
    lines += _runs(ordered, ui_url)
    lines.append(f"Written {_moment(message.at)}.")
    broken = {notice.observation.severity for notice in notices if notice.change is not Change.RECOVERED}
    worst = Severity.ERROR if Severity.ERROR in broken else Severity.WARNING
    return Text(_title(ordered), "\n".join(lines), worst if broken else None)


def without_values(sentence: str) -> str:
    """The sentence with values of rows and passwords taken out."""
    for pattern, instead in _VALUES:
        sentence = pattern.sub(instead, sentence)
    return sentence


def _urgency(notice: Notice) -> tuple[bool, bool, str]:
    observation = notice.observation
    return (notice.change is Change.RECOVERED, observation.severity is not Severity.ERROR, observation.subject)


def _title(ordered: Sequence[Notice]) -> str:
    counts = {change: [each for each in ordered if each.change is change] for change in Change}
    parts = [
        f"{_counted(found)} {word}"
        for change, word in (
            (Change.BROKEN, "failed"),
            (Change.CHANGED, "failing in another way"),
            (Change.STILL, "still failing"),
            (Change.RECOVERED, "fine again"),
        )
        if (found := counts[change])
    ]
    run_id, job = ordered[0].observation.run_id, ordered[0].observation.job
    is_one_run = run_id is not None and not counts[Change.STILL]
    return f"Odyssey: {', '.join(parts)}" + (f" in {job or 'run'} {run_id[:8]}" if is_one_run and run_id else "")


def _counted(notices: Sequence[Notice]) -> str:
    """One subject by its name, more of a kind by their number."""
    kinds: dict[Kind, list[Notice]] = {}
    for notice in notices:
        kinds.setdefault(notice.observation.kind, []).append(notice)
    words = [
        _subject(found[0]) if len(found) == 1 else f"{len(found)} {_PLURALS[kind]}" for kind, found in kinds.items()
    ]
    return " and ".join(words)


def _subject(notice: Notice) -> str:
    observation = notice.observation
    match observation.kind:
        case Kind.CHECK:
            return f"check {observation.name}"
        case Kind.JOB:
            return observation.job or observation.name
        case Kind.OVERDUE:
            return f"publication of {observation.name}"
        case Kind.DELIVERY:
            return f"delivery of alerts to {observation.name}"


def _lines(notice: Notice) -> list[str]:
    observation = notice.observation
    rows = "" if not observation.rows else f" ({observation.rows:,} {'row' if observation.rows == 1 else 'rows'})"
    detail = f": {without_values(observation.detail)}" if observation.detail else ""
    since = f"since {_moment(notice.since)}" + (f", snapshot {notice.since_snapshot}" if notice.since_snapshot else "")
    if notice.change is Change.RECOVERED:
        return [f"FINE AGAIN {_subject(notice)}{detail}", f"  was broken {since}, until {_moment(observation.at)}"]
    state = {Change.BROKEN: "", Change.CHANGED: "NOW OTHERWISE ", Change.STILL: "STILL "}[notice.change]
    lines = [f"{state}{observation.severity.upper()} {_subject(notice)}{rows}{detail}", f"  {since}"]
    hint = without_values(observation.hint) or _standing_hint(notice)
    return [*lines, f"  What to do: {hint}"]


def _standing_hint(notice: Notice) -> str:
    match notice.observation.kind:
        case Kind.CHECK:
            check = notice.observation.name.rsplit(".", 1)[-1]
            return _HINTS[CheckName(check)] if check in set(CheckName) else _OTHER_CHECK
        case Kind.OVERDUE:
            return _OVERDUE
        case Kind.DELIVERY:
            return _DELIVERY
        case Kind.JOB:
            return "See the run in the Dagster UI."


def _runs(notices: Sequence[Notice], ui_url: str | None) -> list[str]:
    """A link for each run that is told of."""
    runs = {each.observation.run_id: each.observation.job for each in notices if each.observation.run_id}
    shown = [
        f"Run of {job or 'assets'}: {ui_url}/runs/{run_id}" if ui_url else f"Run of {job or 'assets'}: {run_id}"
        for run_id, job in list(runs.items())[:MOST_NOTICES]
    ]
    return [*shown, ""] if shown else []


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
