"""One look at the server: its numbers, what happened since the last look, and the verdicts.

Belongs here: putting them together, and remembering the last look between commands. Does not belong here: any of them.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from odyssey_assets.target.autocommit import autocommitting
from odyssey_assets.target.url import TargetUrl
from odyssey_assets.watch.judging import Verdict, judge
from odyssey_assets.watch.readings import Reading, Totals, read, since
from odyssey_assets.watch.statements import SlowQueries, slow_queries


@dataclass(frozen=True)
class Watched:
    """``recent`` is what the server counted since the look before, or since its reset where there was none."""

    reading: Reading
    recent: Totals
    slow: SlowQueries
    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        """Whether every measure was seen and within its threshold."""
        return all(each.passed is True for each in self.verdicts)


def look(url: TargetUrl, before: Totals | None, limits: Mapping[str, float | None]) -> Watched:
    """Look once. Changes nothing; raises what connecting raises."""
    with autocommitting(url) as connection:
        reading = read(connection, url.schema)
    slow = slow_queries(url)
    recent = since(before, reading.totals)
    return Watched(reading, recent, slow, judge(reading, recent, slow, limits))


def as_json(totals: Totals) -> dict[str, object]:
    """Totals as a document, to be read back by ``from_json``."""
    return asdict(totals)


def from_json(document: object) -> Totals | None:
    """The totals of a document; None for one of another shape, as an older version may have left."""
    try:
        return Totals(**document)  # type: ignore[arg-type]
    except TypeError:
        return None


def last_totals(folder: Path, url: TargetUrl) -> Totals | None:
    """What the last command saw of this database; None where there was none."""
    try:
        return from_json(json.loads(_file(folder, url).read_text("utf-8")))
    except (OSError, ValueError):
        return None


def keep_totals(folder: Path, url: TargetUrl, totals: Totals) -> None:
    """Remember for the next command."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = _file(folder, url)
    unfinished = file.with_suffix(f".{os.getpid()}.unfinished")
    unfinished.write_text(json.dumps(as_json(totals)), "utf-8")
    unfinished.rename(file)


def _file(folder: Path, url: TargetUrl) -> Path:
    return folder / f"{hashlib.sha256(url.redacted.encode()).hexdigest()[:16]}.json"
