"""What a run tells while it works.

Belongs here: the shape of progress and counting a stream. Does not belong here: showing it (``cli``, Dagster).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa


class Phase(StrEnum):
    """The steps of a run, in their order."""

    SNAPSHOT = "snapshot"
    SURVEY = "survey"
    PREFLIGHT = "preflight"
    SCHEMA = "schema"
    COMPARE = "compare"
    LOAD = "load"
    INDEX = "index"
    PROOF = "proof"
    COMMIT = "commit"


@dataclass(frozen=True)
class Progress:
    """One step forward. ``rows`` counts what was done since the last one, ``total_rows`` what the phase has to do."""

    phase: Phase
    table: str = ""
    rows: int = 0
    total_rows: int = 0


OnProgress = Callable[[Progress], None]


def counted(
    batches: Iterator[pa.RecordBatch], phase: Phase, table: str, on_progress: OnProgress
) -> Iterator[pa.RecordBatch]:
    """The same stream, told as it passes."""
    for batch in batches:
        yield batch
        on_progress(Progress(phase, table, rows=batch.num_rows))
