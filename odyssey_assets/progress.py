"""What a run tells while it works.

Belongs here: the shape of progress and counting a stream. Does not belong here: showing it (``cli``, Dagster).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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
    APPLY = "apply"
    INDEX = "index"
    PROOF = "proof"
    RECORD = "record"
    COMMIT = "commit"


@dataclass(frozen=True)
class Progress:
    """One step forward. ``rows`` counts what was done since the last one, ``total_rows`` what the phase has to do."""

    phase: Phase
    table: str = ""
    rows: int = 0
    total_rows: int = 0


OnProgress = Callable[[Progress], None]

_listener: ContextVar[OnProgress | None] = ContextVar("progress_listener", default=None)


@contextmanager
def listening(on_progress: OnProgress) -> Iterator[None]:
    """Be told of the progress of runs that this thread starts, also through Dagster, which knows nothing of it."""
    token = _listener.set(on_progress)
    try:
        yield
    finally:
        _listener.reset(token)


def tell_listener(progress: Progress) -> None:
    """Pass progress on to whoever listens in this thread."""
    listener = _listener.get()
    if listener is not None:
        listener(progress)


def counted(
    batches: Iterator[pa.RecordBatch], phase: Phase, table: str, on_progress: OnProgress
) -> Iterator[pa.RecordBatch]:
    """The same stream, told as it passes."""
    for batch in batches:
        yield batch
        on_progress(Progress(phase, table, rows=batch.num_rows))
