"""The integrity checks of one table, each a verdict over facts that were gathered while reading both sides.

Belongs here: what each check demands. Does not belong here: gathering the facts, or Dagster's form of a result.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from odyssey_assets.compare.differences import Comparison, Difference
from odyssey_assets.findings import Severity
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.target.foreign_keys import ForeignKeyFacts


class CheckName(StrEnum):
    """The checks every table has."""

    ROW_COUNT = "row_count"
    NULLS = "nulls"
    FOREIGN_KEYS = "foreign_keys"
    ROWS_EQUAL = "rows_equal"
    QUARANTINE = "quarantine"
    TAMPERING = "tampering"


CHECK_DESCRIPTIONS: dict[CheckName, str] = {
    CheckName.ROW_COUNT: "PostgreSQL holds as many rows as the snapshot.",
    CheckName.NULLS: "Every column has as many NULLs on both sides, and required columns have none.",
    CheckName.FOREIGN_KEYS: "Every foreign key of the model exists, is validated, and has no orphans.",
    CheckName.ROWS_EQUAL: "Every cell of every row is equal on both sides.",
    CheckName.TAMPERING: "Nobody but this project changed the table in PostgreSQL since it was published.",
    CheckName.QUARANTINE: "No row is held back (a warning until the source is mended).",
}


@dataclass(frozen=True)
class CheckResult:
    """One verdict. ``differences`` is a number of rows, NULLs or orphans; ``looked_at_rows`` says how much was seen."""

    table: str
    name: CheckName
    passed: bool
    differences: int
    looked_at_rows: int
    detail: str
    severity: Severity = Severity.ERROR
    listed: tuple[Difference, ...] = ()


def check_table(
    table: CarriedTable,
    snapshot_rows: int,
    comparison: Comparison,
    foreign_keys: tuple[ForeignKeyFacts, ...],
    *,
    held_rows: int = 0,
) -> tuple[CheckResult, ...]:
    """All checks of one table.

    ``snapshot_rows`` is SQLite's own count of the rows that are carried, held against what was read; ``held_rows``
    is how many are not.
    """
    verdicts = (
        _row_count(snapshot_rows, comparison),
        _nulls(table, snapshot_rows, comparison),
        _foreign_keys(comparison, foreign_keys),
        _rows_equal(table, snapshot_rows, comparison),
        _quarantine(comparison, held_rows),
    )
    if not comparison.basis:
        return verdicts
    return tuple(replace(verdict, detail=f"{verdict.detail} ({comparison.basis})") for verdict in verdicts)


def _row_count(snapshot_rows: int, comparison: Comparison) -> CheckResult:
    source, target = comparison.source_rows, comparison.target_rows
    off = max(abs(target - snapshot_rows), abs(source - snapshot_rows))
    detail = f"{snapshot_rows:,} rows in the snapshot, {target:,} in PostgreSQL"
    if source != snapshot_rows:
        detail += f"; but {source:,} were read from the snapshot"
    return CheckResult(comparison.table, CheckName.ROW_COUNT, off == 0, off, target, detail)


def _nulls(table: CarriedTable, snapshot_rows: int, comparison: Comparison) -> CheckResult:
    uneven = {
        name: (comparison.source_nulls[name], comparison.target_nulls[name])
        for name in table.column_names
        if comparison.source_nulls[name] != comparison.target_nulls[name]
    }
    required = {
        column.name: comparison.target_nulls[column.name]
        for column in table.columns
        if column.is_required and comparison.target_nulls[column.name]
    }
    parts = [f"{name}: {source:,} in the source, {target:,} in PostgreSQL" for name, (source, target) in uneven.items()]
    parts += [f"{name}: {count:,} although it is required" for name, count in required.items()]
    if comparison.source_rows != snapshot_rows:
        parts.append(f"only {comparison.source_rows:,} of {snapshot_rows:,} rows were looked at")
    off = sum(abs(source - target) for source, target in uneven.values()) + sum(required.values())
    detail = "; ".join(parts) or f"equal in all {len(table.columns)} columns"
    return CheckResult(comparison.table, CheckName.NULLS, not parts, off, comparison.target_rows, detail)


def _foreign_keys(comparison: Comparison, facts: tuple[ForeignKeyFacts, ...]) -> CheckResult:
    complaints = [complaint for fact in facts for complaint in _complaints(fact)]
    orphans = sum(fact.orphan_rows or 0 for fact in facts)
    detail = "; ".join(complaints) or (
        f"{len(facts)} validated, no orphans" if facts else "the model declares none for this table"
    )
    return CheckResult(
        comparison.table,
        CheckName.FOREIGN_KEYS,
        not complaints,
        orphans or len(complaints),
        comparison.target_rows,
        detail,
    )


def _complaints(fact: ForeignKeyFacts) -> Iterator[str]:
    if not fact.exists:
        yield f"{fact.name} does not exist"
    elif not fact.as_declared:
        yield f"{fact.name} is not as the model declares it"
    elif not fact.is_validated:
        yield f"{fact.name} is NOT VALID"
    if fact.orphan_rows is None:
        yield f"{fact.name} could not be counted"
    elif fact.orphan_rows:
        yield f"{fact.name} has {fact.orphan_rows:,} orphans"


def _rows_equal(table: CarriedTable, snapshot_rows: int, comparison: Comparison) -> CheckResult:
    different = comparison.different_rows
    unseen = set(table.column_names) - set(comparison.columns)
    is_complete = comparison.source_rows == snapshot_rows and not unseen
    if different:
        detail = (
            f"{comparison.missing_rows:,} missing, {comparison.extra_rows:,} extra, "
            f"{comparison.changed_rows:,} changed rows"
        )
    elif not is_complete:
        detail = (
            f"not everything was compared: {comparison.source_rows:,} of {snapshot_rows:,} rows, "
            f"columns left out: {', '.join(sorted(unseen)) or 'none'}"
        )
    else:
        detail = f"{comparison.source_rows:,} rows, {len(comparison.columns)} columns, every cell equal"
    return CheckResult(
        comparison.table,
        CheckName.ROWS_EQUAL,
        is_complete and not different,
        different,
        comparison.source_rows,
        detail,
        listed=comparison.listed,
    )


def _quarantine(comparison: Comparison, held_rows: int) -> CheckResult:
    detail = (
        f"rows held back in odyssey_sync.quarantine: {held_rows:,}; mend them in SQLite and sync again"
        if held_rows
        else "no row is held back"
    )
    return CheckResult(
        comparison.table,
        CheckName.QUARANTINE,
        not held_rows,
        held_rows,
        comparison.source_rows + held_rows,
        detail,
        Severity.WARNING,
    )
