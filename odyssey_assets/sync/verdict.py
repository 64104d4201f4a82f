"""What went wrong with a run, in one sentence, and what to do about it.

Belongs here: words over outcomes. Does not belong here: deciding them (``compare.checks``).
"""

from collections.abc import Mapping

from odyssey_assets.compare.checks import CheckName
from odyssey_assets.errors import IntegrityError
from odyssey_assets.findings import Severity
from odyssey_assets.sync.outcome import TableOutcome, TableStatus

_TABLES_TOLD = 3
"""Tables named in the one sentence; the report has all."""


def failed_checks(outcome: TableOutcome) -> tuple[CheckName, ...]:
    """Names of the checks that did not pass and whose failure forbids a commit."""
    return tuple(check.name for check in outcome.checks if not check.passed and check.severity is Severity.ERROR)


def require_account(outcomes: Mapping[str, TableOutcome], wanted: frozenset[str]) -> None:
    """Raise IntegrityError where a table was asked for and not looked at, or lacks one of its checks."""
    silent = sorted(wanted - outcomes.keys())
    if silent:
        raise IntegrityError(
            f"The run gave no account of {', '.join(silent)}.", hint="This is a fault of this project; report it."
        )
    for name, outcome in sorted(outcomes.items()):
        missing = sorted(set(CheckName) - {check.name for check in outcome.checks})
        if missing and outcome.status not in (TableStatus.ABSENT, TableStatus.FAILED):
            raise IntegrityError(
                f"The run gave no verdict on {', '.join(f'{name}.{check}' for check in missing)}.",
                hint="This is a fault of this project; report it.",
                table=name,
            )


def problem_of(outcomes: Mapping[str, TableOutcome], in_the_way: Mapping[str, TableOutcome]) -> tuple[str | None, str]:
    """One sentence on what went wrong, and what to do; None when every check of every table passed.

    ``in_the_way`` are tables a migration found filled with other rows.
    """
    if any(outcome.different_rows for outcome in in_the_way.values()):
        told = _listing([_what_sync_would_do(outcome) for outcome in in_the_way.values()])
        return (
            f"PostgreSQL already holds rows that differ from the snapshot, and nothing was changed. {told}.",
            "Run odyssey sync to bring PostgreSQL in step, or empty the target and run odyssey migrate again.",
        )
    failed = {name: failed_checks(outcome) for name, outcome in outcomes.items() if failed_checks(outcome)}
    if failed:
        told = _listing([f"{name} fails {', '.join(checks)}" for name, checks in failed.items()])
        return f"Integrity checks failed: {told}.", "See the checks for rows and columns."
    return None, ""


def _listing(sentences: list[str]) -> str:
    more = f"; and {len(sentences) - _TABLES_TOLD} more tables" if len(sentences) > _TABLES_TOLD else ""
    return "; ".join(sentences[:_TABLES_TOLD]) + more


def _what_sync_would_do(outcome: TableOutcome) -> str:
    if outcome.different_rows:
        return (
            f"{outcome.name}: sync would insert {outcome.missing_rows:,}, update {outcome.changed_rows:,} and delete "
            f"{outcome.extra_rows:,} rows"
        )
    return f"{outcome.name} fails {', '.join(failed_checks(outcome))}"
