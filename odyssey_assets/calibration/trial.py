"""One fault and what came of it: the shape of a result, and what an outcome says of a planted fault.

Belongs here: that shape, and reading outcomes. Does not belong here: running trials (``trials``, ``resync_trials``), or
how they look (``table``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from odyssey_assets.calibration.faults import Checks, RowFault, SchemaFault, SourceFault
from odyssey_assets.calibration.target_faults import Planted
from odyssey_assets.compare.checks import CheckName, CheckResult
from odyssey_assets.sync.outcome import Outcome

Tell = Callable[[str], None]


class Series(StrEnum):
    """Where the fault is."""

    CLEAN = "No fault: nothing may be lit"
    TARGET = "Fault in PostgreSQL, planted by somebody else"
    WRITING = "Fault in the engine's own writing: the run must not commit"
    RESYNC = "Fault in the engine's own re-sync: the run must not commit"
    PROVING = "Fault in the engine's own proof: it does not look"
    SOURCE = "Fault in SQLite, after it was published"


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

    @property
    def is_right(self) -> bool:
        """No miss, no false alarm, the place named, and nothing wrong committed."""
        is_as_expected = (self.elsewhere, self.is_refused) == ((), self.expects_refusal)
        return self.lit == self.expected and is_as_expected and self.is_named and not self.is_committed


def place(fault: RowFault | SchemaFault | SourceFault) -> str:
    """The table, and the column or what else is named."""
    if isinstance(fault, SchemaFault):
        column = None if fault.then is None else fault.then.column
        names = [f"{fault.table}.{column}" if column else fault.table, fault.named]
        return ", ".join(name for name in names if name)
    return f"{fault.table}.{fault.column}" if fault.column else fault.table


def lit_checks(outcome: Outcome, table: str) -> Checks:
    """The checks of one table that failed."""
    return frozenset(
        check.name for each in outcome.tables if each.name == table for check in each.checks if not check.passed
    )


def failing(outcome: Outcome, but: str = "") -> tuple[str, ...]:
    """The failed checks of all other tables, as ``Table.check``."""
    return tuple(
        f"{each.name}.{check.name}"
        for each in outcome.tables
        if each.name != but
        for check in each.checks
        if not check.passed
    )


def check_of(outcome: Outcome, table: str, name: CheckName) -> CheckResult:
    """One verdict."""
    (check,) = (each for one in outcome.tables if one.name == table for each in one.checks if each.name is name)
    return check


def names_rows(outcome: Outcome, table: str, planted: Planted) -> bool:
    """Whether the comparison lists the rows that were planted by key and column, and no others."""
    listed = check_of(outcome, table, CheckName.ROWS_EQUAL).listed
    return bool(listed) and all(each.key["id"] in planted.keys and each.column == planted.column for each in listed)
