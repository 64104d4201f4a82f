"""What SQLite's own file says of one table beyond its rows: ids that lead nowhere, and the forms its dates have.

Belongs here: the shape. Does not belong here: asking SQLite (``sync.source_facts``), or judging (``checks``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from odyssey_assets.findings import Finding


@dataclass(frozen=True)
class SourceFacts:
    """One table of the source.

    ``date_forms`` are the storage classes of the dates by column, ``forms_before`` those at the last publication, None
    where that is not known. ``soft_references`` are the columns that were looked at, ``dangling`` has one finding for
    each with rows that lead nowhere. ``dates_basis`` and ``references_basis`` say what else than looking at every row
    of this snapshot the facts rest on, if anything.
    """

    table: str
    date_rows: int
    date_forms: Mapping[str, tuple[str, ...]]
    forms_before: Mapping[str, tuple[str, ...]] | None
    reference_rows: int
    soft_references: tuple[str, ...]
    dangling: tuple[Finding, ...]
    dates_basis: str = ""
    references_basis: str = ""

    @property
    def new_date_forms(self) -> dict[str, tuple[str, ...]]:
        """Forms that a column did not have before, by column; the first dates of a column are not a new form."""
        before = self.forms_before or {}
        new = {
            name: tuple(form for form in forms if form not in before[name])
            for name, forms in self.date_forms.items()
            if before.get(name)
        }
        return {name: forms for name, forms in new.items() if forms}
