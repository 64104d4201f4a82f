"""What a comparison of one table's two sides says.

Belongs here: the shape of the result. Does not belong here: comparing (``rows``, ``keyed``), or judging (``checks``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from odyssey_assets.target.digests import TargetDigest


class DifferenceKind(StrEnum):
    """Seen from the source: it has the row alone, the target has it alone, or both have it and a cell differs."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"


@dataclass(frozen=True)
class Difference:
    """One row that is on one side only (``column`` is None), or one cell that differs; ``note`` is for a person."""

    kind: DifferenceKind
    key: Mapping[str, object]
    column: str | None = None
    source_value: object = None
    target_value: object = None
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """The verdict over one table.

    ``missing_rows``, ``extra_rows`` and ``changed_rows`` count every difference, ``listed`` holds the first few.
    ``source_nulls`` and ``target_nulls`` count NULLs by column over all rows that were read; ``columns`` are those
    that were compared, which the checks hold against those that should have been. ``source_digest`` is the content
    digest of the source's rows, ``target_digest`` PostgreSQL's own of the target's where the rows brought it along.
    ``basis`` says what else than reading every row the verdict rests on, if anything.
    """

    table: str
    columns: tuple[str, ...]
    source_rows: int
    target_rows: int
    source_nulls: Mapping[str, int]
    target_nulls: Mapping[str, int]
    missing_rows: int = 0
    extra_rows: int = 0
    changed_rows: int = 0
    listed: tuple[Difference, ...] = ()
    source_digest: int | None = None
    target_digest: TargetDigest | None = None
    basis: str = ""

    @property
    def different_rows(self) -> int:
        return self.missing_rows + self.extra_rows + self.changed_rows
