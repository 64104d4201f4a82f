"""Short ways to say what was observed.

Belongs here: making observations. Does not belong here: what is expected of them.
"""

from odyssey_assets.alerts.observation import Kind, Observation
from odyssey_assets.findings import Severity

NOON = 1_800_000_000.0
"""A moment to count from, in Unix seconds."""


def red(
    name: str = "Vote.rows_equal",
    at: float = 0,
    *,
    run: str | None = "run-a",
    severity: Severity = Severity.ERROR,
    kind: Kind = Kind.CHECK,
    cause: str = "",
    rows: int | None = None,
    snapshot: str | None = None,
) -> Observation:
    """Something broken, ``at`` seconds after noon."""
    return Observation(
        kind, name, NOON + at, True, severity, "it differs", "", rows, cause, None, run, "sync", snapshot
    )


def green(
    name: str = "Vote.rows_equal", at: float = 0, *, run: str | None = "run-b", kind: Kind = Kind.CHECK
) -> Observation:
    """Something fine."""
    return Observation(kind, name, NOON + at, False, run_id=run, job="sync")
