"""What every step of one run shares: the open transaction, the snapshot, the clock.

Belongs here: the shared facts. Does not belong here: steps.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.compare.source_facts import SourceFacts
from odyssey_assets.preflight.objections import Rowids
from odyssey_assets.progress import OnProgress, Phase, Progress
from odyssey_assets.source.inspection import SourceCatalog
from odyssey_assets.source.snapshot import Snapshot
from odyssey_assets.sync.outcome import Request


@dataclass(frozen=True)
class Session:
    """One run in progress.

    ``seconds`` fills up by phase; ``held_back`` are rows, by table, that are not carried; ``source_facts`` are those of
    the snapshot by table, known before a table is judged. ``kept`` is the snapshot last published, as it is on disk
    now, where that was looked at to choose ``snapshot``.
    """

    request: Request
    connection: Connection
    snapshot: Snapshot
    source: SourceCatalog
    on_progress: OnProgress
    seconds: dict[str, float] = field(default_factory=dict)
    held_back: Mapping[str, Rowids] = field(default_factory=dict)
    source_facts: Mapping[str, SourceFacts] = field(default_factory=dict)
    kept: Snapshot | None = None

    @property
    def schema(self) -> str:
        return self.request.target.schema

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Tell that a phase begins and add the time it takes."""
        self.on_progress(Progress(phase))
        with timed(self.seconds, phase):
            yield


@contextmanager
def timed(seconds: dict[str, float], phase: Phase) -> Iterator[None]:
    """Add the time the block takes to ``seconds[phase]``."""
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[phase] = seconds.get(phase, 0.0) + time.perf_counter() - began
