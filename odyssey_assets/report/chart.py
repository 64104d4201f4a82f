"""The bars of a report: seconds by phase, and rows by table.

Belongs here: which bars there are and how long they are. Does not belong here: drawing them (``templates``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from odyssey_assets.report.display import clipped, number, seconds, short_number

LENGTH = 130
"""Of the longest bar, in the drawing's own units."""

LABEL_CHARACTERS = 20
"""What fits beside the bars."""

MOST_BARS = 10
"""Tables beyond are one bar together: the chart is for seeing where the weight is, the table below has them all."""

_CHANGES = {"inserted": "+", "updated": "~", "deleted": "−"}
"""The sign of each kind of change, so that colour is not the only thing that tells them apart."""


@dataclass(frozen=True)
class Part:
    """A stretch of a bar. ``kind`` names its colour."""

    kind: str
    start: float
    length: float


@dataclass(frozen=True)
class Bar:
    """One line of a chart."""

    label: str
    value: str
    parts: tuple[Part, ...]

    @property
    def length(self) -> float:
        return sum(part.length for part in self.parts)


@dataclass(frozen=True)
class Chart:
    """Bars under a title; ``kinds`` are explained where a bar has more than one."""

    title: str
    bars: tuple[Bar, ...]
    kinds: Mapping[str, str]


def charts_of(document: Mapping[str, Any]) -> list[Chart]:
    """The charts worth drawing: none where there is nothing to compare."""
    found = [_phases(document.get("seconds") or {}), _changes(document["tables"]) or _rows(document["tables"])]
    return [chart for chart in found if chart is not None and len(chart.bars) > 1]


def _phases(spent: Mapping[str, float]) -> Chart | None:
    return _chart("Seconds by phase", [(phase, seconds(value), {"plain": value}) for phase, value in spent.items()])


def _rows(tables: Iterable[Mapping[str, Any]]) -> Chart | None:
    counted = sorted(((table["name"], table["source_rows"]) for table in tables), key=lambda each: -each[1])
    lines = [(name, number(rows), {"plain": rows}) for name, rows in counted[:MOST_BARS] if rows]
    others = sum(rows for _, rows in counted[MOST_BARS:])
    if others:
        lines.append((f"{len(counted) - MOST_BARS} others", number(others), {"plain": others}))
    return _chart("Rows by table", lines)


def _changes(tables: Iterable[Mapping[str, Any]]) -> Chart | None:
    """None unless rows that were there already changed: in a first load everything is an insert."""
    changed = [(table["name"], {kind: table[kind] for kind in _CHANGES}) for table in tables]
    if not any(counts["updated"] or counts["deleted"] for _, counts in changed):
        return None
    changed.sort(key=lambda each: -sum(each[1].values()))
    lines = [(name, _signed(counts), counts) for name, counts in changed[:MOST_BARS] if any(counts.values())]
    rest = {kind: sum(counts[kind] for _, counts in changed[MOST_BARS:]) for kind in _CHANGES}
    if any(rest.values()):
        lines.append(("others", _signed(rest), rest))
    return _chart("Rows changed by table", lines, {kind: f"{sign} {kind}" for kind, sign in _CHANGES.items()})


def _signed(counts: Mapping[str, int]) -> str:
    return " ".join(f"{sign}{short_number(counts[kind])}" for kind, sign in _CHANGES.items() if counts[kind])


def _chart(
    title: str, lines: Sequence[tuple[str, str, Mapping[str, float]]], kinds: Mapping[str, str] | None = None
) -> Chart | None:
    most = max((sum(values.values()) for _, _, values in lines), default=0)
    if not most:
        return None
    bars = tuple(
        Bar(clipped(label, LABEL_CHARACTERS), text, tuple(_parts(values, most))) for label, text, values in lines
    )
    return Chart(title, bars, kinds or {})


def _parts(values: Mapping[str, float], most: float) -> Iterable[Part]:
    start = 0.0
    for kind, value in values.items():
        length = round(value / most * LENGTH, 1)
        if value:
            yield Part(kind, round(start, 1), max(length, 1.0))
            start += max(length, 1.0)
