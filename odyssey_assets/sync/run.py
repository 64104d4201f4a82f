"""One run from snapshot to commit: the promise that PostgreSQL holds exactly one snapshot, or is untouched.

Belongs here: the order of the steps and the one transaction around them. Does not belong here: the steps themselves.
"""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.source.snapshot import take_snapshot
from odyssey_assets.source.soundness import require_sound
from odyssey_assets.source.survey import TableSurvey, survey_table
from odyssey_assets.sync.guards import hold_sync_lock
from odyssey_assets.sync.load import load_empty_tables
from odyssey_assets.sync.outcome import Outcome, Request, TableOutcome, TableStatus
from odyssey_assets.sync.prepare import pair_or_refuse, prepare_target
from odyssey_assets.sync.progress import OnProgress, Phase, Progress
from odyssey_assets.sync.prove import failed_checks, prove_table
from odyssey_assets.sync.session import Session, timed
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import connect, query
from odyssey_assets.target.reader import keep_heap_order

_TABLES_TOLD = 3
"""Tables named in the one sentence; the report has all."""


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
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="soundness") as side:
            outcome = _run(session, side.submit(require_sound, snapshot.path))
        if is_writing and outcome.ok:
            with session.phase(Phase.COMMIT):
                connection.commit()
    return replace(outcome, seconds=dict(seconds))


def _run(session: Session, soundness: Future[None]) -> Outcome:
    catalog = prepare_target(session)
    pairing = pair_or_refuse(session, catalog)
    request = session.request
    wanted = request.publish | request.verify
    tables = tuple(table for table in pairing.tables if table.name in wanted)
    with session.phase(Phase.SURVEY):
        surveys = {table.name: survey_table(session.snapshot.path, table.name, table.kinds) for table in tables}
    keep_heap_order(session.connection)
    empty = tuple(table for table in tables if table.name in request.publish and not _has_rows(session, table))
    with session.phase(Phase.COMPARE):
        settled = {
            table.name: prove_table(
                session,
                catalog,
                table,
                surveys[table.name],
                phase=Phase.COMPARE,
                status=TableStatus.UNCHANGED if table.name in request.publish else TableStatus.VERIFIED,
            )
            for table in tables
            if table not in empty
        }
    in_the_way = {name: each for name, each in settled.items() if name in request.publish and failed_checks(each)}
    if in_the_way:
        filled = {table.name: TableOutcome(table.name, TableStatus.FAILED, carried=table) for table in empty}
    else:
        filled = _load_and_prove(session, catalog, empty, surveys)
    absent = {name: TableOutcome(name, TableStatus.ABSENT) for name in pairing.absent if name in wanted}
    soundness.result()
    outcomes = settled | filled | absent
    problem, hint = _problem(outcomes, in_the_way)
    return Outcome(session.snapshot, session.source.version, tuple(outcomes.values()), {}, problem, hint)


def _load_and_prove(
    session: Session,
    catalog: TargetCatalog,
    tables: tuple[CarriedTable, ...],
    surveys: Mapping[str, TableSurvey],
) -> dict[str, TableOutcome]:
    with session.phase(Phase.LOAD):
        written = load_empty_tables(
            session.connection, catalog, tables, surveys, session.snapshot.path, session.on_progress
        )
    with session.phase(Phase.PROOF):
        return {
            table.name: replace(
                prove_table(
                    session,
                    catalog,
                    table,
                    surveys[table.name],
                    phase=Phase.PROOF,
                    status=TableStatus.LOADED,
                ),
                inserted=written[table.name],
            )
            for table in tables
        }


def _has_rows(session: Session, table: CarriedTable) -> bool:
    name = f"{quoted(session.schema)}.{quoted(table.name)}"
    (row,) = query(session.connection, f"SELECT EXISTS (SELECT 1 FROM {name}) AS has_rows")
    return bool(row["has_rows"])


def _problem(outcomes: Mapping[str, TableOutcome], in_the_way: Mapping[str, TableOutcome]) -> tuple[str | None, str]:
    """One sentence on what went wrong, and what to do; None when every check of every table passed."""
    if in_the_way:
        told = _listing([_what_sync_would_do(outcome) for outcome in in_the_way.values()])
        return (
            f"PostgreSQL already holds rows that differ from the snapshot, and nothing was changed. {told}.",
            "Run odyssey sync to bring PostgreSQL in step, or empty the target and run odyssey migrate again.",
        )
    failed = {name: failed_checks(outcome) for name, outcome in outcomes.items() if failed_checks(outcome)}
    if failed:
        told = _listing([f"{name} fails {', '.join(checks)}" for name, checks in failed.items()])
        return f"Integrity checks failed: {told}.", "See the checks for rows and columns."
    return None, ""


def _listing(sentences: list[str]) -> str:
    more = f"; and {len(sentences) - _TABLES_TOLD} more tables" if len(sentences) > _TABLES_TOLD else ""
    return "; ".join(sentences[:_TABLES_TOLD]) + more


def _what_sync_would_do(outcome: TableOutcome) -> str:
    if outcome.different_rows:
        return (
            f"{outcome.name}: sync would insert {outcome.missing_rows:,}, update {outcome.changed_rows:,} and delete "
            f"{outcome.extra_rows:,} rows"
        )
    return f"{outcome.name} fails {', '.join(failed_checks(outcome))}"
