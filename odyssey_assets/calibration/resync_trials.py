"""Trials of the engine's own re-sync: each fault the quick way and with every table read in full.

Belongs here: running them. Does not belong here: the faults (``resync_faults``), or the other trials (``trials``).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2

from odyssey_assets.calibration.pair import Pair
from odyssey_assets.calibration.resync_faults import (
    EDITS,
    REBUILD_FAULTS,
    RESYNC_FAULTS,
    RebuildFault,
    ResyncFault,
    rebuilt_wrongly,
)
from odyssey_assets.calibration.target_faults import Planted
from odyssey_assets.calibration.trial import Series, Tell, Trial, failing, lit_checks, names_rows
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.sync.outcome import Outcome
from odyssey_assets.target.scratch_database import scratch_database

QUICK, FULL = "the quick way", "read in full"


def resync_trials(admin_uri: str, pair: Pair, folder: Path, tell: Tell) -> Iterator[Trial]:
    """The application goes on, and the re-sync that follows goes wrong; the same without a fault comes first."""
    moved_on = pair.edited(folder, *EDITS)
    for way in (QUICK, FULL):
        for fault in (None, *RESYNC_FAULTS):
            if fault is None or way is QUICK or not fault.is_of_quick_way:
                tell(f"{Series.RESYNC}: {fault.name if fault else 'no fault'}, {way}")
                yield _trial(admin_uri, moved_on, fault, way, folder / "resync")


def rebuild_trials(pair: Pair, empty: str, tell: Tell) -> Iterator[Trial]:
    """A load that does not leave keys and indexes as they were."""
    for fault in REBUILD_FAULTS:
        tell(f"{Series.WRITING}: {fault.name}")
        yield _rebuild_trial(pair.about(fault.table), empty, fault)


def _trial(admin_uri: str, pair: Pair, fault: ResyncFault | None, way: str, apart: Path) -> Trial:
    planted: list[Planted] = []
    pair = _in_folder_of_its_own(pair, apart, way)
    with scratch_database(admin_uri, copy_of=pair.uri) as uri:
        before = _content(uri)
        if fault is None:
            outcome = pair.sync(uri)
        else:
            with fault.plant(planted):
                outcome = pair.sync(uri)
            if not planted or _went(outcome) != way:
                raise IntegrityError(f"Nothing of {fault.table} could take the fault: {fault.name}, {way}.")
        has_changed = _content(uri) != before
        is_mended = has_changed and outcome.ok and _is_in_step(pair, uri)
    if fault is None or not fault.expected:
        return _healthy(fault, way, outcome, is_mended=is_mended)
    return Trial(
        Series.RESYNC,
        fault.name,
        _place(fault, way),
        fault.expected,
        lit_checks(outcome, fault.table),
        failing(outcome, but=fault.table),
        names_rows(outcome, fault.table, planted[0]),
        is_committed=has_changed,
    )


def _in_folder_of_its_own(pair: Pair, apart: Path, way: str) -> Pair:
    """With the published snapshot at hand or without it; other runs over the same folder would push it out."""
    shutil.rmtree(apart, ignore_errors=True)
    if way is QUICK:
        shutil.copytree(pair.folder / "snapshots", apart / "snapshots", copy_function=os.link)
    return pair.apart(apart)


def _went(outcome: Outcome) -> str:
    return QUICK if any(table.comparison and table.comparison.basis for table in outcome.tables) else FULL


def _healthy(fault: ResyncFault | None, way: str, outcome: Outcome, *, is_mended: bool) -> Trial:
    """A re-sync that must end with both sides equal; one that does not counts as a miss."""
    return Trial(
        Series.RESYNC,
        "no fault" if fault is None else fault.name,
        way if fault is None else _place(fault, way),
        frozenset(),
        frozenset(),
        failing(outcome),
        is_named=is_mended,
    )


def _rebuild_trial(pair: Pair, empty: str, fault: RebuildFault) -> Trial:
    said = ""
    with rebuilt_wrongly(fault):
        try:
            pair.migrate(empty)
        except IntegrityError as error:
            said = error.message
    return Trial(
        Series.WRITING,
        fault.name,
        f"{fault.table}, {fault.named}",
        frozenset(),
        frozenset(),
        is_named=fault.named in said,
        expects_refusal=True,
        is_refused=bool(said),
        is_committed=bool(tables_of(empty)),
    )


def _is_in_step(pair: Pair, uri: str) -> bool:
    """Every check again, in full, and SQLite no further on than what was published."""
    outcome = pair.verify(uri)
    return not failing(outcome) and not any(table.rows_behind for table in outcome.tables)


def _content(uri: str) -> list[object]:
    """What all tables hold, our own bookkeeping included, by numbers that the engine has no part in."""
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        found: list[object] = []
        for name in tables_of(uri):
            cursor.execute(f"SELECT count(*), sum(hashtextextended(live::text, 0)) FROM {name} live")
            found += [name, *cursor.fetchall()]
    return found


def tables_of(uri: str) -> list[str]:
    """Every table of a database but PostgreSQL's own."""
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') "
            "ORDER BY 1, 2"
        )
        return [f"{quoted(schema)}.{quoted(table)}" for schema, table in cursor.fetchall()]


def _place(fault: ResyncFault, way: str) -> str:
    return f"{f'{fault.table}.{fault.column}' if fault.column else fault.table}, {way}"
