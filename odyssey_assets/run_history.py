"""What Dagster's storage knows of runs, verdicts and publications, as the alerts observe it.

Belongs here: reading the instance, Dagster's internal calls among them. Does not belong here: deciding what is news
(``alerts``).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus, InstigatorType, TickStatus
from dagster._core.storage.asset_check_execution_record import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES

from odyssey_assets.alerts.observation import Kind, Observation
from odyssey_assets.alerts.run_report import WATCHED_JOBS, job_observation, snapshot_of
from odyssey_assets.alerts.state import AlertState
from odyssey_assets.alerts.tick import Look
from odyssey_assets.configuration import DualRun
from odyssey_assets.findings import Severity
from odyssey_assets.metadata import SNAPSHOT_ID, asset_key
from odyssey_assets.report.document import Document
from odyssey_assets.sync.truth import SWITCHED_REASON

OVERLAP_SECONDS = 120
"""How far back before the last look runs are read again: one may be recorded late, with an earlier time."""

MOST_RUNS = 50
"""Finished runs looked at in one tick; the next tick goes on where this one ended."""

SYNC_SCHEDULE = "resync"
UNCHANGED_REASON = "SQLite and PostgreSQL are unchanged"
"""How the schedule's reason begins when it skips because both sides are proven to be as they were published."""

_SKIPS_READ = 20
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_SEVERITY = {dg.AssetCheckSeverity.ERROR: Severity.ERROR, dg.AssetCheckSeverity.WARN: Severity.WARNING}
_ASSET_PAGE_JOB = "__ASSET_JOB"

ReadReport = Callable[[str], Document | None]


@dataclass(frozen=True)
class FinishedRuns:
    """``is_complete`` says that there were no more, ``until`` is the time of the last one's record, and ``recent`` are
    those so close to it that the next look finds them again."""

    runs: tuple[dg.RunRecord, ...]
    until: float
    recent: tuple[str, ...]
    is_complete: bool


@dataclass(frozen=True)
class Watch:
    """What is looked at: an instance, the checks and tables of the definitions, and the reports of runs."""

    instance: dg.DagsterInstance
    checks: tuple[dg.AssetCheckKey, ...]
    tables: tuple[str, ...]
    dual_run: DualRun
    report: ReadReport


def look(watch: Watch, state: AlertState, now: float) -> Look:
    """Everything there is to see since the last look.

    Verdicts are taken from each finished run in turn, since a later run may have covered up a red one already, and
    from the newest of each check, for runs that are still at work.
    """
    overdue = (*overdue_observations(watch.instance, watch.tables, watch.dual_run, now), *_gone(watch, state, now))
    latest = latest_verdicts(watch.instance, watch.checks, watch.report)
    if state.looked_until is None:
        jobs = last_runs(watch.instance, watch.report)
        return Look((*jobs, *latest, *overdue), now, ())
    found = finished_runs(watch.instance, state.looked_until, state.recent_runs)
    seen = tuple(each for run in found.runs for each in run_observations(watch.instance, run, watch.report))
    # The newest verdicts must wait for the runs that are not looked at yet, for older ones would then be no news.
    newest = tuple(latest) if found.is_complete else ()
    return Look((*seen, *newest, *overdue), found.until, found.recent)


def _gone(watch: Watch, state: AlertState, now: float) -> Iterator[Observation]:
    """Checks that were broken and are not in the definitions any more; nothing else would ever end their reminders."""
    names = {_check_name(key) for key in watch.checks}
    for trouble in state.troubles.values():
        if trouble.latest.kind is Kind.CHECK and trouble.latest.name not in names:
            yield Observation(Kind.CHECK, trouble.latest.name, now, is_broken=False, detail="the check was removed")


def finished_runs(instance: dg.DagsterInstance, since: float, known: Iterable[str]) -> FinishedRuns:
    """Runs recorded as succeeded or failed since a time, oldest first, without the known ones.

    Canceled runs are left out: whoever canceled them knows.
    """
    after = datetime.fromtimestamp(since - OVERLAP_SECONDS, UTC)
    seen = set(known)
    most = MOST_RUNS + len(seen)
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, updated_after=after),
        limit=most,
        order_by="update_timestamp",
        ascending=True,
    )
    until = max([since, *(_recorded_at(record) for record in records)])
    return FinishedRuns(
        runs=tuple(record for record in records if record.dagster_run.run_id not in seen),
        until=until,
        recent=tuple(
            record.dagster_run.run_id for record in records if _recorded_at(record) >= until - OVERLAP_SECONDS
        ),
        is_complete=len(records) < most,
    )


def last_runs(instance: dg.DagsterInstance, report: ReadReport) -> Iterator[Observation]:
    """The last finished run of each watched job."""
    for job in WATCHED_JOBS:
        for record in instance.get_run_records(dg.RunsFilter(statuses=_ENDED, job_name=job), limit=1):
            yield _job(record, report(record.dagster_run.run_id))


def run_observations(instance: dg.DagsterInstance, record: dg.RunRecord, report: ReadReport) -> Iterator[Observation]:
    """Every verdict of a finished run, and the run itself where its job is watched."""
    run = record.dagster_run
    document = report(run.run_id)
    snapshot_id = snapshot_of(document)
    evaluations = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    for each in evaluations.records:
        yield _verdict(each.event_log_entry, run.job_name, snapshot_id)
    if run.job_name in WATCHED_JOBS:
        yield _job(record, document)


def latest_verdicts(
    instance: dg.DagsterInstance, checks: Iterable[dg.AssetCheckKey], report: ReadReport
) -> Iterator[Observation]:
    """The newest verdict of each check, also of runs still at work; a check that is being run now is left out."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    jobs: dict[str, str | None] = {}
    for record in latest.values():
        if record.event is None or record.status not in COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES:
            continue
        if record.run_id not in jobs:
            run = instance.get_run_by_id(record.run_id)
            jobs[record.run_id] = None if run is None else run.job_name
        yield _verdict(record.event, jobs[record.run_id], snapshot_of(report(record.run_id)))


def is_dual_run_on(instance: dg.DagsterInstance, dual_run: DualRun) -> bool:
    """Whether syncs are to happen by themselves: what was clicked in the UI counts before the configuration."""
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.name == SYNC_SCHEDULE and state.status in (InstigatorStatus.RUNNING, InstigatorStatus.STOPPED):
            return state.is_running
    return dual_run.is_on


def overdue_observations(
    instance: dg.DagsterInstance, tables: Iterable[str], dual_run: DualRun, now: float
) -> Iterator[Observation]:
    """Each table that was ever published: overdue where it was not brought or proven in step for too long.

    Without a dual run nothing is overdue.
    """
    limit_seconds = 60 * dual_run.overdue_minutes
    is_on = is_dual_run_on(instance, dual_run)
    proven_at = _rested_at(instance) if is_on else 0.0
    names = {asset_key(table): table for table in tables}
    for record in instance.get_asset_records(list(names)):
        published = record.asset_entry.last_materialization_record
        if published is None:
            continue
        name = names[record.asset_entry.asset_key]
        in_step_at = max(published.timestamp, proven_at)
        is_overdue = is_on and now - in_step_at > limit_seconds
        yield Observation(
            kind=Kind.OVERDUE,
            name=name,
            at=now,
            is_broken=is_overdue,
            detail=f"not brought in step for more than {dual_run.overdue_minutes:g} minutes" if is_overdue else "",
            began_at=in_step_at,
            snapshot_id=_snapshot_of_materialization(published),
        )


def _rested_at(instance: dg.DagsterInstance) -> float:
    """When the schedule last skipped with nothing left to bring in step; 0 where it never did.

    Either nothing had changed, or a cut-over has made PostgreSQL the truth and there is nothing to follow any more.
    """
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.name != SYNC_SCHEDULE:
            continue
        ticks = instance.get_ticks(
            state.instigator_origin_id, state.selector_id, limit=_SKIPS_READ, statuses=[TickStatus.SKIPPED]
        )
        for tick in ticks:
            if (tick.skip_reason or "").startswith((UNCHANGED_REASON, SWITCHED_REASON)):
                return tick.timestamp
    return 0.0


def _job(record: dg.RunRecord, document: Document | None) -> Observation:
    run = record.dagster_run
    return job_observation(
        run.run_id,
        run.job_name,
        record.end_time or _recorded_at(record),
        succeeded=run.status is dg.DagsterRunStatus.SUCCESS,
        report=document,
    )


def _recorded_at(record: dg.RunRecord) -> float:
    return record.update_timestamp.timestamp()


def _verdict(entry: dg.EventLogEntry, job: str | None, snapshot_id: str | None) -> Observation:
    assert entry.dagster_event is not None
    evaluation = entry.dagster_event.asset_check_evaluation_data
    differences = evaluation.metadata.get("differences")
    return Observation(
        kind=Kind.CHECK,
        name=_check_name(evaluation.asset_check_key),
        at=entry.timestamp,
        is_broken=not evaluation.passed,
        severity=_SEVERITY[evaluation.severity],
        detail=evaluation.description or "",
        rows=differences.value if isinstance(differences, dg.IntMetadataValue) else None,
        run_id=entry.run_id,
        job=None if job == _ASSET_PAGE_JOB else job,
        snapshot_id=snapshot_id,
    )


def _check_name(key: dg.AssetCheckKey) -> str:
    return f"{key.asset_key.to_user_string()}.{key.name}"


def _snapshot_of_materialization(record: dg.EventLogRecord) -> str | None:
    materialization = record.event_log_entry.asset_materialization
    snapshot = None if materialization is None else materialization.metadata.get(SNAPSHOT_ID)
    return str(snapshot.value) if snapshot is not None else None
