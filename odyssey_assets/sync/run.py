"""One run from snapshot to commit: the promise that PostgreSQL holds exactly one snapshot, or is untouched.

Belongs here: the order of the steps and the one transaction around them. Does not belong here: the steps themselves.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from odyssey_assets.compare.pairing import Pairing
from odyssey_assets.errors import ConfigurationError, IntegrityError, RefusedError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.progress import OnProgress, Phase, Progress
from odyssey_assets.scratch import remove_leftovers
from odyssey_assets.source.inspection import SourceCatalog, count_rows, inspect_source
from odyssey_assets.source.snapshot import DAMAGE, Snapshot
from odyssey_assets.source.soundness import require_sound
from odyssey_assets.sync.guards import hold_sync_lock, refuse_after_switch, refuse_other_source
from odyssey_assets.sync.ledger import Publication, last_publication, read_ledger
from odyssey_assets.sync.outcome import Outcome, Request, TableOutcome, TableStatus
from odyssey_assets.sync.prepare import pair_or_refuse, prepare_target
from odyssey_assets.sync.publish import has_rows, publish_tables
from odyssey_assets.sync.quarantine import holds_rows
from odyssey_assets.sync.record import record
from odyssey_assets.sync.resync import resync_tables
from odyssey_assets.sync.session import Session, timed
from odyssey_assets.sync.source_snapshot import new_snapshot, snapshot_to_read
from odyssey_assets.sync.verdict import problem_of, require_account
from odyssey_assets.sync.verify import verify_tables
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import commit, connect
from odyssey_assets.target.reader import keep_heap_order
from odyssey_assets.target.server_state import count_left_rows
from odyssey_assets.target.sizes import table_sizes


def run(request: Request, on_progress: OnProgress = lambda _: None) -> Outcome:
    """Publish and verify the requested tables from one new snapshot.

    Returns an outcome that is not ok when something differs; then nothing was committed. Raises OdysseyError when no
    verdict was reached, in which case nothing was committed either.
    """
    _require_known(request.publish | request.verify)
    try:
        return _run(request, on_progress)
    except DAMAGE as error:
        raise IntegrityError(
            f"The SQLite file is damaged: {error}.",
            hint="Run odyssey preflight for what can be told; restore the file from a backup. Nothing was changed.",
        ) from error


def _require_known(names: frozenset[str]) -> None:
    known = {table.name for table in tables_in_order()}
    if names - known:
        raise ConfigurationError(
            f"There is no Odyssey table named {', '.join(sorted(names - known))}.",
            hint=f"The tables are {', '.join(sorted(known))}.",
        )


def _run(request: Request, on_progress: OnProgress) -> Outcome:
    seconds: dict[str, float] = {}
    remove_leftovers(request.scratch_dir)
    is_writing = bool(request.publish)
    with connect(request.target, read_only=not is_writing) as connection:
        if is_writing:
            hold_sync_lock(connection, request.target.schema)
        refuse_after_switch(connection, request.target.schema, is_writing=is_writing)
        last = last_publication(connection, request.target.schema)
        ledger = read_ledger(connection, request.target.schema).values()
        on_progress(Progress(Phase.SNAPSHOT))
        with timed(seconds, Phase.SNAPSHOT):
            chosen = new_snapshot(request, ledger) if is_writing else snapshot_to_read(request, last, ledger)
            snapshot = chosen.snapshot
            source = _inspect(snapshot, last)
        if last is not None and snapshot.id != last.snapshot_id and not request.accepts_new_source:
            refuse_other_source(source, count_rows(snapshot.path, source), last)
        session = Session(request, connection, snapshot, source, on_progress, seconds, kept=chosen.published)
        catalog = prepare_target(session)
        pairing = pair_or_refuse(session, catalog)
        keep_heap_order(connection)
        is_sound = last is not None and last.is_examined and snapshot.id == last.snapshot_id
        if is_writing:
            outcome = _publish(session, catalog, pairing)
        else:
            outcome = _verify(session, catalog, pairing, asks_sqlite=request.asks_sqlite and not is_sound)
        if is_writing and outcome.ok:
            with session.phase(Phase.COMMIT):
                commit(connection)
    return replace(outcome, seconds=dict(seconds))


def _inspect(snapshot: Snapshot, last: Publication | None) -> SourceCatalog:
    """Once something was published, a file that is not Odyssey's is the wrong source rather than a wrong option."""
    try:
        return inspect_source(snapshot.path)
    except ConfigurationError as error:
        if last is None:
            raise
        raise RefusedError(f"{error.message} It is not the one that was last published.", hint=error.hint) from error


def _publish(session: Session, catalog: TargetCatalog, pairing: Pairing) -> Outcome:
    """Publish the tables asked for, and verify those of the others that were asked for."""
    to_publish = _chosen(pairing, session.request.publish)
    others = _chosen(pairing, session.request.verify - session.request.publish)
    is_first = not any(has_rows(session, table) for table in to_publish)
    way = resync_tables if session.request.applies_changes and not is_first else publish_tables
    published = way(session, catalog, to_publish)
    verified = verify_tables(session, catalog, others) if others else {}
    outcome = _outcome(session, pairing, {**published.outcomes, **verified}, published.in_the_way)
    if outcome.ok:
        with session.phase(Phase.RECORD):
            record(session, published)
    return outcome


def _verify(session: Session, catalog: TargetCatalog, pairing: Pairing, *, asks_sqlite: bool) -> Outcome:
    """Verify without changing anything, and ask SQLite's own checks of the snapshot where nobody has."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="soundness") as side:
        soundness = None
        if asks_sqlite and not holds_rows(session.connection, session.schema):
            soundness = side.submit(require_sound, session.snapshot.path)
        verified = verify_tables(session, catalog, _chosen(pairing, session.request.verify))
        if soundness is not None:
            soundness.result()
    return _outcome(session, pairing, verified, {})


def _chosen(pairing: Pairing, names: frozenset[str]) -> tuple[CarriedTable, ...]:
    return tuple(table for table in pairing.tables if table.name in names)


def _outcome(
    session: Session,
    pairing: Pairing,
    outcomes: Mapping[str, TableOutcome],
    in_the_way: Mapping[str, TableOutcome],
) -> Outcome:
    wanted = session.request.publish | session.request.verify
    left = count_left_rows(session.connection, session.schema, wanted.intersection(pairing.absent))
    absent = {
        name: TableOutcome(name, TableStatus.ABSENT, target_rows=left.get(name, 0))
        for name in pairing.absent
        if name in wanted
    }
    require_account({**outcomes, **absent}, wanted)
    problem, hint = problem_of(outcomes, in_the_way)
    sizes = table_sizes(session.connection, session.schema)
    there = (replace(outcome, bytes=sizes.get(name)) for name, outcome in outcomes.items())
    tables = (*there, *absent.values())
    return Outcome(session.snapshot, session.source.version, tables, {}, problem, hint)
