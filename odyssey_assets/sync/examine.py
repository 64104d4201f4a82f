"""Surveying and examining the tables a run reads in full, and what its policy says about rows that cannot be carried.

Belongs here: that step of a run. Does not belong here: the examinations (``preflight``), or keeping rows
(``quarantine``).
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from odyssey_assets.errors import FindingsError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.preflight.objections import Objection
from odyssey_assets.preflight.outside_parents import look_for_outside_parents
from odyssey_assets.preflight.source import SourceExamination, examine_source
from odyssey_assets.progress import Phase
from odyssey_assets.source.survey import TableSurvey, survey_table
from odyssey_assets.sync.ledger import read_ledger
from odyssey_assets.sync.outcome import Policy
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.source_facts import facts_from_survey
from odyssey_assets.target.catalog import TargetCatalog

SURVEYED_AT_A_TIME = 2
"""SQLite counts without Python's lock: two tables at a time took 0.65 x the time of one on two cores."""


@dataclass(frozen=True)
class Examined:
    """The session, knowing which rows are held back and the source's facts; SQLite's counts; why rows are held back."""

    session: Session
    surveys: Mapping[str, TableSurvey]
    objections: tuple[Objection, ...]


def survey_tables(session: Session, tables: tuple[CarriedTable, ...]) -> dict[str, TableSurvey]:
    """Count what SQLite stored, table by table."""
    with session.phase(Phase.SURVEY), ThreadPoolExecutor(SURVEYED_AT_A_TIME, "survey") as pool:
        surveys = pool.map(lambda table: survey_table(session.snapshot.path, table.name, table.kinds), tables)
        return {survey.table: survey for survey in surveys}


def survey_and_examine(session: Session, catalog: TargetCatalog, tables: tuple[CarriedTable, ...]) -> Examined:
    """Look at every value and key of these tables.

    Raises FindingsError where the policy is to stop, or where holding rows back would not help.
    """
    if not tables:
        return Examined(session, {}, ())
    surveys = survey_tables(session, tables)
    examination = examine(session, catalog, tables, surveys)
    if examination.objections and session.request.policy is Policy.STOP:
        raise FindingsError(examination.findings)
    ledger = read_ledger(session.connection, session.schema)
    facts = {
        name: facts_from_survey(session.source, survey, examination.other_findings, ledger.get(name))
        for name, survey in surveys.items()
    }
    session = replace(session, held_back=examination.rows_held_back, source_facts=facts)
    return Examined(session, surveys, examination.objections)


def examine(
    session: Session, catalog: TargetCatalog, tables: tuple[CarriedTable, ...], surveys: Mapping[str, TableSurvey]
) -> SourceExamination:
    """The examination alone. Raises FindingsError where holding rows back would not help."""
    with session.phase(Phase.PREFLIGHT):
        snapshot, source = session.snapshot.path, session.source
        outside = look_for_outside_parents(
            session.connection, catalog, snapshot, source, catalog, tables, session.request.publish
        )
        examination = examine_source(snapshot, source, catalog, tables, surveys, session.on_progress, outside)
    if examination.blocking:
        raise FindingsError(examination.findings)
    return examination
