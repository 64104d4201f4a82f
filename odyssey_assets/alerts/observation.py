"""What was seen of one watched thing at one moment, and what is to be told of it.

Belongs here: the shapes that travel from looking to telling. Does not belong here: looking (the Dagster layer),
deciding what is news (``transitions``), or words (``wording``).
"""

from dataclasses import dataclass
from enum import StrEnum

from odyssey_assets.findings import Severity


class Kind(StrEnum):
    """What is watched: a check of a table, a job, a table's age, a channel of the alerts themselves."""

    CHECK = "check"
    JOB = "job"
    OVERDUE = "overdue"
    DELIVERY = "delivery"


@dataclass(frozen=True)
class Observation:
    """One look at one subject. Times are Unix seconds.

    ``detail`` and ``hint`` are sentences without values of rows. ``cause`` sorts failures of one subject: another cause
    is news. ``began_at`` is when it broke, where that is earlier than ``at``. ``rows`` is how many rows it is about.
    """

    kind: Kind
    name: str
    at: float
    is_broken: bool
    severity: Severity = Severity.ERROR
    detail: str = ""
    hint: str = ""
    rows: int | None = None
    cause: str = ""
    began_at: float | None = None
    run_id: str | None = None
    job: str | None = None
    snapshot_id: str | None = None

    @property
    def subject(self) -> str:
        """What stays the same from one observation of a thing to the next."""
        return f"{self.kind}:{self.name}"


class Change(StrEnum):
    """Why something is told."""

    BROKEN = "broken"
    CHANGED = "changed"
    STILL = "still"
    RECOVERED = "recovered"


@dataclass(frozen=True)
class Notice:
    """One thing to tell. ``severities`` decide the channels; ``since`` and ``since_snapshot`` are of its first red."""

    change: Change
    observation: Observation
    since: float
    since_snapshot: str | None
    severities: tuple[Severity, ...]


@dataclass(frozen=True)
class Message:
    """Notices that belong together, and the ids of the channels that have taken them."""

    number: int
    at: float
    notices: tuple[Notice, ...]
    delivered: tuple[str, ...] = ()
