"""Findings: what was seen that stands in the way of carrying everything, or that someone should know.

Belongs here: the shape of a finding. Does not belong here: looking for them (``preflight``, ``compare.pairing``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from odyssey_assets.model.privacy import shown_key


class Severity(StrEnum):
    """An ERROR stops the migration, a WARNING is told."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One objection. ``count`` is the number of rows it speaks for, ``key`` names the row where it is one row."""

    severity: Severity
    kind: str
    table: str = ""
    column: str | None = None
    key: Mapping[str, object] | None = None
    count: int = 1
    detail: str = ""

    def sentence(self) -> str:
        """The finding as one line for a person, who may not be one to see secrets."""
        place = ".".join(part for part in (self.table, self.column) if part)
        shown = shown_key(self.table, self.key or {})
        key = f" ({', '.join(f'{name}={value!r}' for name, value in shown.items())})" if shown else ""
        return f"{place}{key}: {self.detail}" if place else self.detail
