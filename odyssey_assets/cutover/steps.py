"""The steps of a cut-over, its states, and the shapes that travel between the parts of this package.

::

    running --(fence, backup, sync, proof, ...)--> switching --(source sealed)--> switched --(smoke tests)--> finished
       |                                               |                             |                           |
       +--> rehearsed                                  +--> aborted                  +-------> rolled back <-----+
       +--> aborted

Until ``switching`` nothing is changed but what a sync changes. ``switching`` is written before the source is sealed and
``switched`` after, so that whoever finds either knows what may have happened.

Belongs here: names and shapes. Does not belong here: doing a step (``work``), their order (``machine``), SQL
(``store``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """In their order. From FENCE on the application stands still."""

    PREFLIGHT = "preflight"
    SYNC_AHEAD = "sync ahead"
    FENCE = "fence"
    BACKUP = "backup"
    SYNC = "final sync"
    PROOF = "proof"
    SEQUENCES = "sequences"
    ANALYZE = "analyze"
    SWITCH = "switch"
    CERTIFICATE = "certificate"
    SMOKE = "smoke tests"


BEFORE_THE_FENCE = (Step.PREFLIGHT, Step.SYNC_AHEAD)
UNDER_THE_FENCE = (Step.BACKUP, Step.SYNC, Step.PROOF, Step.SEQUENCES, Step.ANALYZE)
"""Steps whose work counts only for the content they saw."""


class State(StrEnum):
    """What is true of a cut-over; see the picture above."""

    RUNNING = "running"
    SWITCHING = "switching"
    SWITCHED = "switched"
    FINISHED = "finished"
    REHEARSED = "rehearsed"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled back"


UNFINISHED = frozenset({State.RUNNING, State.SWITCHING, State.SWITCHED})

Detail = Mapping[str, object]
"""What a step has to tell, in JSON's types."""


@dataclass(frozen=True)
class DoneStep:
    """A step that was done, how long it took, and what it has to tell."""

    step: Step
    seconds: float
    detail: Detail


@dataclass(frozen=True)
class Cutover:
    """A cut-over as the target knows it. ``process_id`` on ``host`` is or was at it."""

    id: int
    state: State
    is_rehearsal: bool
    seals_source: bool
    source_path: str
    host: str
    process_id: int
    reason: str | None
    started_at: str
    changed_at: str
    done: Mapping[Step, DoneStep]

    @property
    def kind(self) -> str:
        """What to call it in a sentence."""
        return "rehearsal" if self.is_rehearsal else "cut-over"

    @property
    def downtime_seconds(self) -> float:
        """How long the application had to stand still for it: everything from the fence on."""
        return sum(done.seconds for step, done in self.done.items() if step not in BEFORE_THE_FENCE)


@dataclass(frozen=True)
class StepProgress:
    """A step begins, or has ended where ``spent_seconds`` is known. ``expected_seconds`` is what it took last time."""

    step: Step
    expected_seconds: float | None
    spent_seconds: float | None = None


OnStep = Callable[[StepProgress], None]
