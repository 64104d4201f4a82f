"""The integrity checks of one table, each a verdict over facts that were gathered while reading both sides.

Belongs here: what each check demands. Does not belong here: gathering the facts, or Dagster's form of a result.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from odyssey_assets.compare.differences import Comparison, Difference
from odyssey_assets.compare.source_facts import SourceFacts
from odyssey_assets.findings import Finding, Severity
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
    SCHEMA = "schema"
    SOFT_REFERENCES = "soft_references"
    DATE_ENCODING = "date_encoding"


CHECK_DESCRIPTIONS: dict[CheckName, str] = {
    CheckName.ROW_COUNT: "PostgreSQL holds as many rows as the snapshot.",
    CheckName.NULLS: "Every column has as many NULLs on both sides, and required columns have none.",
    CheckName.FOREIGN_KEYS: "Every foreign key of the model exists, is validated, and has no orphans.",
    CheckName.ROWS_EQUAL: "Every cell of every row is equal on both sides.",
    CheckName.TAMPERING: "Nobody but this project changed the table in PostgreSQL since it was published.",
    CheckName.QUARANTINE: "No row is held back (a warning until the source is mended).",
    CheckName.SCHEMA: "Types, defaults, required columns, enums, keys and indexes are as Prisma makes them "
    "(a warning, unless a foreign key does not do its work).",
    CheckName.SOFT_REFERENCES: "Ids without a foreign key lead to a row (a warning).",
    CheckName.DATE_ENCODING: "No column has dates in a form it did not have at the last publication (a warning).",
}

COMPARED = frozenset(
    {CheckName.ROW_COUNT, CheckName.NULLS, CheckName.FOREIGN_KEYS, CheckName.ROWS_EQUAL, CheckName.QUARANTINE}
)
"""The checks that hold PostgreSQL against a snapshot; the others ask one side alone, or the ledger."""


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


def check_schema(comparison: Comparison, findings: tuple[Finding, ...]) -> CheckResult:
    """One verdict over the differences of one table from Prisma's schema; a warning where no value would change."""
    is_error = any(finding.severity is Severity.ERROR for finding in findings)
    return CheckResult(
        comparison.table,
        CheckName.SCHEMA,
        not findings,
        len(findings),
        comparison.target_rows,
        "; ".join(_place(finding) + finding.detail for finding in findings) or "as Prisma makes it",
        Severity.ERROR if is_error or not findings else Severity.WARNING,
    )


def check_source(facts: SourceFacts) -> tuple[CheckResult, ...]:
    """What the application may not know of its own SQLite file: warnings."""
    return _soft_references(facts), _date_encoding(facts)


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
    counted = "no orphans" if all(fact.is_counted for fact in facts) else "orphans not counted again"
    detail = "; ".join(complaints) or (
        f"{len(facts)} validated, {counted}" if facts else "the model declares none for this table"
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


def _soft_references(facts: SourceFacts) -> CheckResult:
    if facts.dangling:
        detail = "; ".join(finding.sentence() for finding in facts.dangling)
    elif facts.soft_references:
        detail = f"every id leads to a row: {', '.join(facts.soft_references)}"
    else:
        detail = "the model declares none for this table"
    return CheckResult(
        facts.table,
        CheckName.SOFT_REFERENCES,
        not facts.dangling,
        sum(finding.count for finding in facts.dangling),
        facts.reference_rows,
        _with_basis(detail, facts.references_basis),
        Severity.WARNING,
    )


def _date_encoding(facts: SourceFacts) -> CheckResult:
    new = facts.new_date_forms
    parts = [
        f"{name} has dates as {' and '.join(forms)}, before it had {' and '.join(_before(facts, name))}"
        for name, forms in new.items()
    ]
    if not facts.date_forms:
        parts = ["the table has no dates"]
    elif not parts:
        found = sorted({form for forms in facts.date_forms.values() for form in forms})
        parts = [f"{len(facts.date_forms)} columns, dates as {' and '.join(found)}" if found else "no dates yet"]
        parts += ["no earlier publication to compare with"] if facts.forms_before is None else []
    return CheckResult(
        facts.table,
        CheckName.DATE_ENCODING,
        not new,
        len(new),
        facts.date_rows,
        _with_basis("; ".join(parts), facts.dates_basis),
        Severity.WARNING,
    )


def _before(facts: SourceFacts, column: str) -> tuple[str, ...]:
    return (facts.forms_before or {})[column]


def _with_basis(detail: str, basis: str) -> str:
    return f"{detail} ({basis})" if basis else detail


def _place(finding: Finding) -> str:
    return f"{finding.column}: " if finding.column else ""
