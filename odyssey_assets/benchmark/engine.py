"""This project's own part in the race, taken by the engine without Dagster.

Belongs here: the initial load and the verification. Does not belong here: how they work (``sync``).
"""

import time
from pathlib import Path

from odyssey_assets.benchmark.contender import Task
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.progress import Phase
from odyssey_assets.sync.outcome import Outcome, Request
from odyssey_assets.sync.run import run
from odyssey_assets.target.url import parse_target_url


def migrate(task: Task) -> dict[str, float]:
    """Load an empty database and prove it; seconds without the proof, with it, and of everything."""
    began = time.perf_counter()
    outcome = load_and_prove(task.sqlite, task.uri, task.folder)
    whole = time.perf_counter() - began
    load = outcome.seconds[Phase.LOAD] + outcome.seconds[Phase.COMMIT]
    return {"load": load, "load_and_proof": load + outcome.seconds[Phase.PROOF], "migrate": whole}


def verify(task: Task) -> dict[str, float]:
    """Check every table of a loaded database; seconds of the checks, and of everything.

    Raises IntegrityError where ``task.folder`` lacks the published snapshot: digests would answer in its place.
    """
    began = time.perf_counter()
    names = frozenset(table.name for table in tables_in_order())
    outcome = run(_request(task.sqlite, task.uri, task.folder, publish=frozenset(), verify=names))
    whole = time.perf_counter() - began
    _require_ok(outcome)
    if Phase.COMPARE not in outcome.seconds:
        raise IntegrityError("The verification compared no rows, so there is nothing to measure.")
    return {"compare": outcome.seconds[Phase.COMPARE], "verify": whole}


def load_and_prove(sqlite: Path, uri: str, folder: Path) -> Outcome:
    """Load an empty database. Raises IntegrityError where anything was not proven."""
    names = frozenset(table.name for table in tables_in_order())
    outcome = run(_request(sqlite, uri, folder, publish=names, verify=names))
    _require_ok(outcome)
    return outcome


def _request(sqlite: Path, uri: str, folder: Path, *, publish: frozenset[str], verify: frozenset[str]) -> Request:
    return Request(sqlite, parse_target_url(uri), folder / "snapshots", folder / "scratch", publish, verify)


def _require_ok(outcome: Outcome) -> None:
    if outcome.problem is not None:
        raise IntegrityError(outcome.problem, hint=outcome.hint)
