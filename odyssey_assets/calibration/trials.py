"""One fault after another, planted in a clean pair, and what every check of every table said of it.

Belongs here: running the trials. Does not belong here: the faults, or how the results look (``table``).
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psycopg2

from odyssey_assets.calibration.engine_faults import BLIND_FAULTS, BlindFault, in_place_of, written_wrongly
from odyssey_assets.calibration.faults import (
    HARMLESS,
    ORPHAN,
    ROW_FAULTS,
    SCHEMA_FAULTS,
    SOURCE_FAULTS,
    SOURCE_MOVED_ON,
    TAMPERING,
    Checks,
    RowFault,
    SchemaFault,
    SourceFault,
)
from odyssey_assets.calibration.pair import Pair, clean_pair, scratch_database
from odyssey_assets.calibration.target_faults import Planted, plant_in_target
from odyssey_assets.compare.checks import CheckName, CheckResult
from odyssey_assets.errors import IntegrityError
from odyssey_assets.sync.outcome import Outcome, Policy

Tell = Callable[[str], None]


class Series(StrEnum):
    """Where the fault is."""

    CLEAN = "nowhere: nothing may be lit"
    TARGET = "PostgreSQL, planted by somebody else"
    WRITING = "the engine's own writing: the run must not commit"
    PROVING = "the engine's own proof: it does not look"
    SOURCE = "SQLite, after it was published"


@dataclass(frozen=True)
class Trial:
    """One fault and what came of it.

    ``lit`` are the checks of the fault's table that failed, ``elsewhere`` those of other tables, as ``Table.check``.
    ``is_named`` says that row and column, or constraint, index or column, were told; True where there is nothing to
    name. ``is_refused`` says that the run ended without a verdict and ``is_committed`` that it left something behind.
    """

    series: Series
    fault: str
    place: str
    expected: Checks
    lit: Checks
    elsewhere: tuple[str, ...] = ()
    is_named: bool = True
    expects_refusal: bool = False
    is_refused: bool = False
    is_committed: bool = False
    uncertain: Checks = frozenset()

    @property
    def is_lit_right(self) -> bool:
        """Every check that must tell does, and no other but those that may."""
        return self.expected <= self.lit <= self.expected | self.uncertain

    @property
    def is_right(self) -> bool:
        """No miss, no false alarm, the place named, and nothing wrong committed."""
        is_as_expected = (self.elsewhere, self.is_refused) == ((), self.expects_refusal)
        return self.is_lit_right and is_as_expected and self.is_named and not self.is_committed


def calibrate(admin_uri: str, folder: Path, scale: float, tell: Tell) -> Iterator[Trial]:
    """Run every trial on databases made for it and dropped after it. ``tell`` is given a line before each.

    Raises IntegrityError where the clean pair cannot be made or a fault cannot be planted.
    """
    with clean_pair(admin_uri, folder, scale) as pair:
        yield from _clean_trials(admin_uri, pair, folder, tell)
        in_target: tuple[RowFault | SchemaFault, ...] = (*ROW_FAULTS, *SCHEMA_FAULTS)
        for fault in in_target:
            tell(f"{Series.TARGET}: {fault.name}")
            yield target_trial(admin_uri, pair, fault, Series.TARGET)
        with scratch_database(admin_uri) as empty:
            for written in (*ROW_FAULTS, ORPHAN):
                tell(f"{Series.WRITING}: {written.name}")
                yield _writing_trial(pair.apart(folder / "apart"), empty, written)
        for blind in BLIND_FAULTS:
            tell(f"{Series.PROVING}: {blind.name}")
            yield _proving_trial(pair, blind)
        for spoiled in SOURCE_FAULTS:
            tell(f"{Series.SOURCE}: {spoiled.name}")
            yield _source_trial(admin_uri, pair, spoiled, folder, Series.SOURCE)


def _clean_trials(admin_uri: str, pair: Pair, folder: Path, tell: Tell) -> Iterator[Trial]:
    tell(f"{Series.CLEAN}: the pair as it is")
    yield Trial(
        Series.CLEAN, "the pair as it is", "", frozenset(), frozenset(), elsewhere=_failing(pair.verify(pair.uri))
    )
    for harmless in HARMLESS:
        tell(f"{Series.CLEAN}: {harmless.name}")
        yield target_trial(admin_uri, pair, harmless, Series.CLEAN)
    tell(f"{Series.CLEAN}: {SOURCE_MOVED_ON.name}")
    yield _source_trial(admin_uri, pair, SOURCE_MOVED_ON, folder, Series.CLEAN)


def target_trial(admin_uri: str, pair: Pair, fault: RowFault | SchemaFault, series: Series) -> Trial:
    """Plant a fault in a copy of the published database and verify every table of it."""
    with scratch_database(admin_uri, copy_of=pair.uri) as uri:
        planted = plant_in_target(uri, fault)
        outcome = pair.verify(uri)
    is_named = planted is None or _names_rows(outcome, fault.table, planted)
    if isinstance(fault, SchemaFault):
        is_named &= all(fault.named in _check(outcome, fault.table, name).detail for name in fault.telling)
    return Trial(
        series,
        fault.name,
        _place(fault),
        fault.expected,
        _lit(outcome, fault.table),
        _failing(outcome, but=fault.table),
        is_named,
        uncertain=fault.uncertain if isinstance(fault, RowFault) else frozenset(),
    )


def _writing_trial(pair: Pair, empty: str, fault: RowFault) -> Trial:
    """What the engine wrote wrongly is held against the snapshot before the commit, or PostgreSQL refuses it.

    ``tampering`` warns in either case: of a table that was never published, the ledger cannot tell who wrote it.
    """
    is_orphan = fault is ORPHAN
    expected = frozenset() if is_orphan else fault.expected | {TAMPERING}
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
        _place(fault),
        expected,
        frozenset() if outcome is None else _lit(outcome, fault.table),
        () if outcome is None else _failing(outcome, but=fault.table),
        outcome is None or _names_rows(outcome, fault.table, planted[0]),
        expects_refusal=is_orphan,
        is_refused=outcome is None,
        is_committed=_has_tables(empty),
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
        frozenset() if outcome is None else _lit(outcome, fault.table),
        () if outcome is None else _failing(outcome, but=fault.table),
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
        _place(fault),
        fault.expected,
        _lit(outcome, fault.table),
        _failing(outcome, but=fault.table),
        all(fault.column in _check(outcome, fault.table, name).detail for name in names_column),
    )


def _place(fault: RowFault | SchemaFault | SourceFault) -> str:
    if isinstance(fault, SchemaFault):
        column = None if fault.then is None else fault.then.column
        names = [f"{fault.table}.{column}" if column else fault.table, fault.named]
        return ", ".join(name for name in names if name)
    return f"{fault.table}.{fault.column}" if fault.column else fault.table


def _lit(outcome: Outcome, table: str) -> Checks:
    return frozenset(
        check.name for each in outcome.tables if each.name == table for check in each.checks if not check.passed
    )


def _failing(outcome: Outcome, but: str = "") -> tuple[str, ...]:
    return tuple(
        f"{each.name}.{check.name}"
        for each in outcome.tables
        if each.name != but
        for check in each.checks
        if not check.passed
    )


def _check(outcome: Outcome, table: str, name: CheckName) -> CheckResult:
    (check,) = (each for one in outcome.tables if one.name == table for each in one.checks if each.name is name)
    return check


def _names_rows(outcome: Outcome, table: str, planted: Planted) -> bool:
    """Whether the comparison lists the rows that were planted by key and column, and no others."""
    listed = _check(outcome, table, CheckName.ROWS_EQUAL).listed
    return bool(listed) and all(each.key["id"] in planted.keys and each.column == planted.column for each in listed)


def _has_tables(uri: str) -> bool:
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
        ((count,),) = cursor.fetchall()
    return bool(count)
