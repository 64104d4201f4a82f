"""The survey of a published snapshot, told from the ledger instead of counted once more.

A table of which every row was carried held nothing but what can be carried, its NULLs were counted and its dates'
forms noted; a snapshot that is still the same byte for byte holds the same.

Belongs here: reading an entry as a survey. Does not belong here: counting (``source.survey``).
"""

from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import Kind
from odyssey_assets.source.survey import USUAL_CLASS, ColumnSurvey, TableSurvey
from odyssey_assets.sync.ledger import LedgerEntry


def published_survey(table: CarriedTable, entry: LedgerEntry) -> TableSurvey | None:
    """What a survey of the entry's snapshot would find, but that dates in both forms are counted under each.

    None where the ledger does not tell: rows were held back, or an earlier version of this project wrote the entry.
    """
    forms = entry.date_forms
    moments = {column.name for column in table.columns if column.kind is Kind.MOMENT}
    if entry.held_rows or forms is None or not forms.keys() >= moments or not entry.nulls.keys() >= set(table.kinds):
        return None
    columns = {column.name: _column(column, entry, forms.get(column.name)) for column in table.columns}
    return TableSurvey(table.name, entry.rows, columns)


def _column(column: CarriedColumn, entry: LedgerEntry, forms: tuple[str, ...] | None) -> ColumnSurvey:
    nulls = entry.nulls[column.name]
    counts = {"null": nulls} | dict.fromkeys(forms or (USUAL_CLASS[column.kind],), entry.rows - nulls)
    return ColumnSurvey(column.name, column.kind, {each: count for each, count in counts.items() if count})
