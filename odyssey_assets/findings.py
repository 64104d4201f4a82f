"""Findings: what was seen that stands in the way of carrying everything, or that someone should know.

Belongs here: the shape of a finding. Does not belong here: looking for them (``preflight``, ``compare.pairing``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


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
        """The finding as one line for a person."""
        place = ".".join(part for part in (self.table, self.column) if part)
        key = "" if self.key is None else f" ({', '.join(f'{name}={value!r}' for name, value in self.key.items())})"
        return f"{place}{key}: {self.detail}" if place else self.detail
