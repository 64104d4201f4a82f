"""One fault after another, planted in a clean pair, and what every check of every table said of it.

Belongs here: running the trials. Does not belong here: the faults, or how the results look (``table``).
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from odyssey_assets.calibration.engine_faults import BLIND_FAULTS, BlindFault, in_place_of, written_wrongly
from odyssey_assets.calibration.faults import (
    HARMLESS,
    ORPHAN,
    ROW_FAULTS,
    SCHEMA_FAULTS,
    SOURCE_FAULTS,
    SOURCE_MOVED_ON,
    TAMPERING,
    RowFault,
    SchemaFault,
    SourceFault,
)
from odyssey_assets.calibration.pair import Pair, clean_pair
from odyssey_assets.calibration.resync_trials import rebuild_trials, resync_trials, tables_of
from odyssey_assets.calibration.target_faults import plant_in_target
from odyssey_assets.calibration.trial import Series, Tell, Trial, check_of, failing, lit_checks, names_rows, place
from odyssey_assets.compare.checks import CheckName
from odyssey_assets.errors import IntegrityError
from odyssey_assets.sync.outcome import Outcome, Policy
from odyssey_assets.target.scratch_database import scratch_database


def calibrate(
    admin_uri: str, folder: Path, scale: float, tell: Tell, *, bystanders: frozenset[str] | None = None
) -> Iterator[Trial]:
    """Run every trial on databases made for it and dropped after it. ``tell`` is given a line before each.

    With ``bystanders``, false alarms of a fault are looked for in those tables alone, and not in all others; without a
    fault, and in a re-sync, always in every table.

    Raises IntegrityError where the clean pair cannot be made or a fault cannot be planted.
    """
    with clean_pair(admin_uri, folder, scale) as made:
        pair = replace(made, bystanders=bystanders)
        yield from _clean_trials(admin_uri, pair, folder, tell)
        in_target: tuple[RowFault | SchemaFault, ...] = (*ROW_FAULTS, *SCHEMA_FAULTS)
        for fault in in_target:
            tell(f"{Series.TARGET}: {fault.name}")
            yield target_trial(admin_uri, pair.about(fault.table), fault, Series.TARGET)
        with scratch_database(admin_uri) as empty:
            for written in (*ROW_FAULTS, ORPHAN):
                tell(f"{Series.WRITING}: {written.name}")
                yield _writing_trial(pair.about(written.table).apart(folder / "apart"), empty, written)
            yield from rebuild_trials(pair.apart(folder / "apart"), empty, tell)
        yield from resync_trials(admin_uri, pair, folder, tell)
        for blind in BLIND_FAULTS:
            tell(f"{Series.PROVING}: {blind.name}")
            yield _proving_trial(pair.about(blind.table), blind)
        for spoiled in SOURCE_FAULTS:
            tell(f"{Series.SOURCE}: {spoiled.name}")
            yield _source_trial(admin_uri, pair, spoiled, folder, Series.SOURCE)


def _clean_trials(admin_uri: str, pair: Pair, folder: Path, tell: Tell) -> Iterator[Trial]:
    tell(f"{Series.CLEAN}: the pair as it is")
    yield Trial(
        Series.CLEAN, "the pair as it is", "", frozenset(), frozenset(), elsewhere=failing(pair.verify(pair.uri))
    )
    for harmless in HARMLESS:
        tell(f"{Series.CLEAN}: {harmless.name}")
        yield target_trial(admin_uri, pair, harmless, Series.CLEAN)
    tell(f"{Series.CLEAN}: {SOURCE_MOVED_ON.name}")
    yield _source_trial(admin_uri, pair, SOURCE_MOVED_ON, folder, Series.CLEAN)


def target_trial(admin_uri: str, pair: Pair, fault: RowFault | SchemaFault, series: Series) -> Trial:
    """Plant a fault in a copy of the published database and verify the tables that the trial is about."""
    with scratch_database(admin_uri, copy_of=pair.uri) as uri:
        planted = plant_in_target(uri, fault)
        outcome = pair.verify(uri)
    is_named = planted is None or names_rows(outcome, fault.table, planted)
    if isinstance(fault, SchemaFault):
        is_named &= all(fault.named in check_of(outcome, fault.table, name).detail for name in fault.telling)
    return Trial(
        series,
        fault.name,
        place(fault),
        fault.expected,
        lit_checks(outcome, fault.table),
        failing(outcome, but=fault.table),
        is_named,
    )


def _writing_trial(pair: Pair, empty: str, fault: RowFault) -> Trial:
    """What the engine wrote wrongly is held against the snapshot before the commit, or PostgreSQL refuses it.

    ``tampering`` keeps quiet: the table was empty, so nobody but this run wrote it.
    """
    is_orphan = fault is ORPHAN
    expected = frozenset() if is_orphan else fault.expected - {TAMPERING}
    outcome: Outcome | None = None
    with written_wrongly(fault) as planted:
        try:
            outcome = pair.migrate(empty)
        except IntegrityError:
            if not planted:
                raise
    return Trial(
        Series.WRITING,
        fault.name,
        place(fault),
        expected,
        frozenset() if outcome is None else lit_checks(outcome, fault.table),
        () if outcome is None else failing(outcome, but=fault.table),
        outcome is None or names_rows(outcome, fault.table, planted[0]),
        expects_refusal=is_orphan,
        is_refused=outcome is None,
        is_committed=bool(tables_of(empty)),
    )


def _proving_trial(pair: Pair, fault: BlindFault) -> Trial:
    outcome: Outcome | None = None
    said = ""
    with in_place_of(fault.module, fault.function, fault.wrap):
        try:
            outcome = pair.verify(pair.uri)
        except IntegrityError as error:
            said = error.message
    return Trial(
        Series.PROVING,
        fault.name,
        fault.table,
        fault.expected,
        frozenset() if outcome is None else lit_checks(outcome, fault.table),
        () if outcome is None else failing(outcome, but=fault.table),
        outcome is not None or fault.table in said,
        expects_refusal=not fault.expected,
        is_refused=outcome is None,
    )


def _source_trial(admin_uri: str, pair: Pair, fault: SourceFault, folder: Path, series: Series) -> Trial:
    edited = pair.edited(folder, fault.statement)
    if fault.is_held_back:
        with scratch_database(admin_uri) as uri:
            outcome = edited.apart(folder / "apart").migrate(uri, policy=Policy.QUARANTINE)
    else:
        outcome = edited.verify(pair.uri)
    names_column = fault.expected & {CheckName.SOFT_REFERENCES, CheckName.DATE_ENCODING}
    return Trial(
        series,
        fault.name,
        place(fault),
        fault.expected,
        lit_checks(outcome, fault.table),
        failing(outcome, but=fault.table),
        all(fault.column in check_of(outcome, fault.table, name).detail for name in names_column),
    )
