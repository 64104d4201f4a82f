"""This project's own part in the race, taken by the engine without Dagster.

Belongs here: the initial load, re-syncs and the verification. Does not belong here: how they work (``sync``).
"""

import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from odyssey_assets.benchmark.contender import Task
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.identifiers import quoted
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


def resync(task: Task) -> dict[str, float]:
    """Load an empty database, bring it in step with nothing changed, then with few rows changed."""
    live = task.folder / "live.db"
    shutil.copyfile(task.sqlite, live)
    try:
        load_and_prove(live, task.uri, task.folder)
        nothing_seconds, nothing = _sync(live, task)
        _change_few_rows(live)
        few_seconds, few = _sync(live, task)
    finally:
        live.unlink()
    if any(table.updated for table in nothing.tables) or not any(table.updated for table in few.tables):
        raise IntegrityError("The re-syncs did not find the changes that were made for them.")
    return {"resync_nothing": nothing_seconds - nothing.seconds[Phase.SNAPSHOT], "resync_few": few_seconds}


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


def _sync(sqlite: Path, task: Task) -> tuple[float, Outcome]:
    names = frozenset(table.name for table in tables_in_order())
    request = _request(sqlite, task.uri, task.folder, publish=names, verify=frozenset())
    began = time.perf_counter()
    outcome = run(replace(request, applies_changes=True))
    seconds = time.perf_counter() - began
    _require_ok(outcome)
    return seconds, outcome


def _change_few_rows(sqlite: Path) -> None:
    """Change every thousandth row of the largest tables, spread over all their pages."""
    with closing(sqlite3.connect(sqlite)) as connection, connection:
        for table, column in _CHANGED_COLUMNS:
            connection.execute(
                f"UPDATE {quoted(table)} SET {quoted(column)} = {quoted(column)} || '.' WHERE rowid % 1000 = 1"
            )


_CHANGED_COLUMNS = (("Event", "type"), ("Notification", "title"), ("Feedback", "body"), ("AuditLog", "action"))


def _request(sqlite: Path, uri: str, folder: Path, *, publish: frozenset[str], verify: frozenset[str]) -> Request:
    return Request(sqlite, parse_target_url(uri), folder / "snapshots", folder / "scratch", publish, verify)


def _require_ok(outcome: Outcome) -> None:
    if outcome.problem is not None:
        raise IntegrityError(outcome.problem, hint=outcome.hint)
