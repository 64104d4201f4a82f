"""What a run is asked for and what came of it.

Belongs here: the shapes that travel between engine, command line and Dagster. Does not belong here: doing it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from odyssey_assets.compare.checks import CheckResult
from odyssey_assets.compare.differences import Comparison
from odyssey_assets.compare.source_facts import SourceFacts
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.source.snapshot import Snapshot
from odyssey_assets.target.url import TargetUrl


class Policy(StrEnum):
    """What is done about rows that cannot be carried."""

    STOP = "stop"
    QUARANTINE = "quarantine"


class OnTamper(StrEnum):
    """What is done about rows that somebody else changed in PostgreSQL."""

    REPAIR = "repair"
    STOP = "stop"


class TableStatus(StrEnum):
    """What happened to a table; DIFFERS and FAILED mean that nothing at all was committed."""

    LOADED = "loaded"
    SYNCED = "synced"
    UNCHANGED = "unchanged"
    VERIFIED = "verified"
    ABSENT = "absent"
    DIFFERS = "differs"
    FAILED = "failed"


@dataclass(frozen=True)
class Request:
    """Tables to publish and tables only to verify, by name; a table in both is published.

    ``applies_changes`` is what a sync does with tables that hold rows already, and a migration refuses.
    ``allowed_deletes`` lifts the delete breaker, by table, up to a number of rows; ``accepts_new_source`` the guard
    against another source than the one last published. ``snapshot`` is one to work from instead of taking a new one;
    ``asks_sqlite`` is False where the caller has SQLite check that snapshot itself.
    """

    sqlite_path: Path
    target: TargetUrl
    snapshot_dir: Path
    scratch_dir: Path
    publish: frozenset[str]
    verify: frozenset[str]
    ignore_unknown: frozenset[str] = frozenset()
    json_as_jsonb: bool = False
    show_values: bool = False
    applies_changes: bool = False
    policy: Policy = Policy.STOP
    allowed_deletes: Mapping[str, int] = field(default_factory=dict)
    on_tamper: OnTamper = OnTamper.REPAIR
    accepts_new_source: bool = False
    run_id: str = ""
    snapshot: Snapshot | None = None
    asks_sqlite: bool = True


@dataclass(frozen=True)
class TableOutcome:
    """One table's part.

    ``inserted``, ``updated`` and ``deleted`` were done, ``missing_rows``, ``extra_rows`` and ``changed_rows`` still
    differ. ``rows_behind`` is how many rows the source moved on since they were published, None where that is not
    known. ``bytes`` is its whole size in PostgreSQL, indexes included; None where the table is absent. Of an absent
    table ``target_rows`` are the rows that PostgreSQL holds all the same, which are left alone.
    """

    name: str
    status: TableStatus
    source_rows: int = 0
    target_rows: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    quarantined: int = 0
    rows_behind: int | None = None
    missing_rows: int = 0
    extra_rows: int = 0
    changed_rows: int = 0
    checks: tuple[CheckResult, ...] = ()
    seconds: float = 0.0
    bytes: int | None = None
    carried: CarriedTable | None = None
    comparison: Comparison | None = None
    source_facts: SourceFacts | None = None

    @property
    def different_rows(self) -> int:
        return self.missing_rows + self.extra_rows + self.changed_rows


@dataclass(frozen=True)
class Outcome:
    """The whole run. ``problem`` is one sentence for a person, None when all went well; ``seconds`` is by phase."""

    snapshot: Snapshot
    source_version: int
    tables: tuple[TableOutcome, ...]
    seconds: dict[str, float]
    problem: str | None = None
    hint: str = ""

    @property
    def ok(self) -> bool:
        return self.problem is None
