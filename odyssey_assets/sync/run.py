"""One run from snapshot to commit: the promise that PostgreSQL holds exactly one snapshot, or is untouched.

Belongs here: the order of the steps and the one transaction around them. Does not belong here: the steps themselves.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from odyssey_assets.compare.pairing import Pairing
from odyssey_assets.errors import FindingsError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.preflight.source import SourceExamination, examine_source
from odyssey_assets.progress import OnProgress, Phase, Progress
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.source.snapshot import take_snapshot
from odyssey_assets.source.soundness import require_sound
from odyssey_assets.source.survey import TableSurvey, survey_table
from odyssey_assets.sync.guards import hold_sync_lock
from odyssey_assets.sync.outcome import Outcome, Policy, Request, TableOutcome, TableStatus
from odyssey_assets.sync.prepare import pair_or_refuse, prepare_target
from odyssey_assets.sync.publish import Published, Work, publish_tables, verify_tables
from odyssey_assets.sync.quarantine import holds_rows, replace_quarantine
from odyssey_assets.sync.session import Session, timed
from odyssey_assets.sync.verdict import problem_of
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import connect
from odyssey_assets.target.reader import keep_heap_order


def run(request: Request, on_progress: OnProgress = lambda _: None) -> Outcome:
    """Publish and verify the requested tables from one new snapshot.

    Returns an outcome that is not ok when something differs; then nothing was committed. Raises OdysseyError when no
    verdict was reached, in which case nothing was committed either.
    """
    seconds: dict[str, float] = {}
    is_writing = bool(request.publish)
    with connect(request.target, read_only=not is_writing) as connection:
        if is_writing:
            hold_sync_lock(connection, request.target.schema)
        on_progress(Progress(Phase.SNAPSHOT))
        with timed(seconds, Phase.SNAPSHOT):
            snapshot = take_snapshot(request.sqlite_path, request.snapshot_dir)
            source = inspect_source(snapshot.path)
        session = Session(request, connection, snapshot, source, on_progress, seconds)
        catalog = prepare_target(session)
        pairing = pair_or_refuse(session, catalog)
        keep_heap_order(connection)
        outcome = (_publish if is_writing else _verify)(session, catalog, pairing)
        if is_writing and outcome.ok:
            with session.phase(Phase.COMMIT):
                connection.commit()
    return replace(outcome, seconds=dict(seconds))


def _publish(session: Session, catalog: TargetCatalog, pairing: Pairing) -> Outcome:
    """Publish the tables asked for, and verify those of the others that were asked for."""
    tables = _wanted(session, pairing)
    surveys = _survey(session, tables)
    examination = _examine(session, catalog, tables, surveys)
    if examination.blocking or (examination.objections and session.request.policy is Policy.STOP):
        raise FindingsError(examination.findings)
    session = replace(session, held_back=examination.rows_held_back)
    to_publish = tuple(table for table in tables if table.name in session.request.publish)
    published = publish_tables(session, Work(catalog, to_publish, surveys))
    others = tuple(table for table in tables if table not in to_publish)
    verified = verify_tables(session, Work(catalog, others, surveys), others, TableStatus.VERIFIED)
    by_name = {table.name: table for table in to_publish}
    replace_quarantine(session, by_name, tuple(each for each in examination.objections if each.table in by_name))
    return _outcome(session, pairing, Published({**published.outcomes, **verified}, published.in_the_way))


def _verify(session: Session, catalog: TargetCatalog, pairing: Pairing) -> Outcome:
    """Verify without changing anything; rows that are in quarantine are accounted for as the last publication did."""
    tables = _wanted(session, pairing)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="soundness") as side:
        has_quarantine = holds_rows(session.connection, session.schema)
        soundness = None if has_quarantine else side.submit(require_sound, session.snapshot.path)
        surveys = _survey(session, tables)
        if has_quarantine:
            examination = _examine(session, catalog, tables, surveys)
            if examination.blocking:
                raise FindingsError(examination.findings)
            session = replace(session, held_back=examination.rows_held_back)
        verified = verify_tables(session, Work(catalog, tables, surveys), tables, TableStatus.VERIFIED)
        if soundness is not None:
            soundness.result()
    return _outcome(session, pairing, Published(verified, {}))


def _wanted(session: Session, pairing: Pairing) -> tuple[CarriedTable, ...]:
    wanted = session.request.publish | session.request.verify
    return tuple(table for table in pairing.tables if table.name in wanted)


def _survey(session: Session, tables: tuple[CarriedTable, ...]) -> dict[str, TableSurvey]:
    with session.phase(Phase.SURVEY):
        return {table.name: survey_table(session.snapshot.path, table.name, table.kinds) for table in tables}


def _examine(
    session: Session, catalog: TargetCatalog, tables: tuple[CarriedTable, ...], surveys: Mapping[str, TableSurvey]
) -> SourceExamination:
    with session.phase(Phase.PREFLIGHT):
        return examine_source(session.snapshot.path, session.source, catalog, tables, surveys, session.on_progress)


def _outcome(session: Session, pairing: Pairing, published: Published) -> Outcome:
    wanted = session.request.publish | session.request.verify
    absent = {name: TableOutcome(name, TableStatus.ABSENT) for name in pairing.absent if name in wanted}
    outcomes = {**published.outcomes, **absent}
    problem, hint = problem_of(outcomes, published.in_the_way)
    return Outcome(session.snapshot, session.source.version, tuple(outcomes.values()), {}, problem, hint)
