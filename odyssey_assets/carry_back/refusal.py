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
    more = f" ... and {len(findings) - _TOLD:,} more." if len(findings) > _TOLD else ""
    first = findings[0]
    raise IntegrityError(
        "SQLite cannot take back everything that PostgreSQL holds. "
        + " ".join(f"{each.sentence()}." for each in findings[:_TOLD])
        + more,
        hint=f"{hint} No new file was written.".strip(),
        table=first.table,
        column=first.column,
        key=shown_key(first.table, first.key) if first.key else None,
    )
