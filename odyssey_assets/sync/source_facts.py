"""Soft references and date forms of the source, looked at anew or carried over from the last publication.

Belongs here: gathering the facts. Does not belong here: judging them (``compare.checks``), keeping them (``ledger``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from odyssey_assets.compare.source_facts import SourceFacts
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind
from odyssey_assets.model.soft_references import SOFT_REFERENCES, SoftReference
from odyssey_assets.preflight.soft_references import DANGLING, soft_reference_findings
from odyssey_assets.source.date_forms import date_forms_of_rows
from odyssey_assets.source.inspection import SourceCatalog
from odyssey_assets.source.pages import PageChanges
from odyssey_assets.source.snapshot import open_snapshot
from odyssey_assets.source.survey import TableSurvey, survey_table
from odyssey_assets.sync.ledger import LedgerEntry
from odyssey_assets.sync.session import Session

ChangesSince = Mapping[str, PageChanges | None]
"""What changed since each snapshot; None where that cannot be told."""


def facts_from_survey(
    source: SourceCatalog, survey: TableSurvey, findings: Iterable[Finding], entry: LedgerEntry | None
) -> SourceFacts:
    """The facts of a table of which every row was looked at. ``findings`` are those of the source's examination."""
    references = _references(source, survey.table)
    return SourceFacts(
        table=survey.table,
        date_rows=survey.rows,
        date_forms={
            column.name: tuple(sorted(column.value_classes))
            for column in survey.columns.values()
            if column.kind is Kind.MOMENT
        },
        forms_before=None if entry is None else entry.date_forms,
        reference_rows=survey.rows,
        soft_references=tuple(reference.column for reference in references),
        dangling=tuple(each for each in findings if each.kind == DANGLING and each.table == survey.table),
    )


def facts_since(
    session: Session, tables: Iterable[CarriedTable], ledger: Mapping[str, LedgerEntry], changes_since: ChangesSince
) -> dict[str, SourceFacts]:
    """The facts of the session's snapshot; where pages tell that nothing changed since a publication, that one's."""
    return {table.name: _facts_since(session, table, ledger.get(table.name), changes_since) for table in tables}


def _facts_since(
    session: Session, table: CarriedTable, entry: LedgerEntry | None, changes_since: ChangesSince
) -> SourceFacts:
    changes = None if entry is None else changes_since.get(entry.snapshot_id)
    if entry is None or changes is None or not session.source.tables[table.name].has_rowid:
        return _look_at_all(session, table, entry)
    moments = _moments(table)
    if entry.date_forms is None or entry.dangling is None or not entry.date_forms.keys() >= set(moments):
        return _look_at_all(session, table, entry)
    references = _references(session.source, table.name)
    rows, forms, dates_basis = _forms_since(session, table, entry.date_forms, changes)
    basis = f"unchanged since publication {entry.publication}, and carried over from it"
    facts = SourceFacts(
        table=table.name,
        date_rows=rows,
        date_forms=forms,
        forms_before=entry.date_forms,
        reference_rows=0,
        soft_references=tuple(reference.column for reference in references),
        dangling=tuple(_carried_over(table.name, name, count) for name, count in entry.dangling.items()),
        dates_basis=f"{dates_basis}{basis}",
        references_basis=basis if references else "",
    )
    # Both ends of a reference count: a parent that was deleted leaves its children as they are.
    concerned = {table.name, *(reference.parent for reference in references)}
    if not references or not concerned & changes.rowids_by_table.keys():
        return facts
    return _with_references(session, table, facts)


def _forms_since(
    session: Session, table: CarriedTable, before: Mapping[str, tuple[str, ...]], changes: PageChanges
) -> tuple[int, dict[str, tuple[str, ...]], str]:
    """Rows looked at, the forms of before and of those rows, and words about it."""
    rowids = changes.rowids_by_table.get(table.name)
    kept = {name: before[name] for name in _moments(table)}
    if rowids is None:
        return 0, kept, ""
    found = date_forms_of_rows(session.snapshot.path, table.name, _moments(table), rowids)
    forms = {name: tuple(sorted({*forms, *found[name]})) for name, forms in kept.items()}
    return len(rowids), forms, f"{len(rowids):,} rows on changed pages looked at, the others "


def _look_at_all(session: Session, table: CarriedTable, entry: LedgerEntry | None) -> SourceFacts:
    kinds = {name: table.kinds[name] for name in _moments(table)} or {table.column_names[0]: table.columns[0].kind}
    survey = survey_table(session.snapshot.path, table.name, kinds)
    facts = facts_from_survey(session.source, survey, (), entry)
    return _with_references(session, table, facts) if facts.soft_references else facts


def _with_references(session: Session, table: CarriedTable, facts: SourceFacts) -> SourceFacts:
    with open_snapshot(session.snapshot.path) as connection:
        found = tuple(soft_reference_findings(connection, session.source, {table.name: table}))
        (rows,) = connection.execute(f"SELECT count(*) FROM {quoted(table.name)}").fetchone()
    return replace(facts, reference_rows=rows, dangling=found, references_basis="")


def _references(source: SourceCatalog, table: str) -> tuple[SoftReference, ...]:
    """The soft references of a table that this file has both ends of."""
    return tuple(
        reference
        for reference in SOFT_REFERENCES
        if reference.table == table
        and reference.parent in source.tables
        and reference.column in source.tables[table].column_names
    )


def _moments(table: CarriedTable) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns if column.kind is Kind.MOMENT)


def _carried_over(table: str, column: str, count: int) -> Finding:
    return Finding(Severity.WARNING, DANGLING, table, column, count=count, detail=f"rows that lead nowhere: {count:,}")
