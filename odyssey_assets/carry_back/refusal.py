"""Saying no to a carry-back because something would be lost.

Belongs here: one error for all objections of a step. Does not belong here: finding them (``agreement``, ``losses``).
"""

from collections.abc import Sequence

from odyssey_assets.errors import IntegrityError
from odyssey_assets.findings import Finding
from odyssey_assets.model.privacy import shown_key

_TOLD = 8


def refuse(findings: Sequence[Finding], hint: str) -> None:
    """Raise IntegrityError, with table, column and key of the first finding, where there is any."""
    if not findings:
        return
    # One row of each kind first, so that every column is told of.
    firsts = {(each.kind, each.table, each.column): each for each in reversed(findings)}
    told = [*reversed(firsts.values()), *(each for each in findings if each not in firsts.values())]
    more = f" ... and {len(findings) - _TOLD:,} more." if len(findings) > _TOLD else ""
    first = findings[0]
    raise IntegrityError(
        "SQLite cannot take back everything that PostgreSQL holds. "
        + " ".join(f"{each.sentence()}." for each in told[:_TOLD])
        + more,
        hint=f"{hint} No new file was written.".strip(),
        table=first.table,
        column=first.column,
        key=shown_key(first.table, first.key) if first.key else None,
    )
