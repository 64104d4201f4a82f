"""Care for PostgreSQL in the UI: the indexes for the main queries, a look at the server with its checks, and VACUUM.

All of it goes on after the cut-over, when there is nothing to sync any more.

Belongs here: Dagster's form of it, and when it runs. Does not belong here: doing it (``optimise``, ``watch``,
``target.vacuum``).
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg

from odyssey_assets.configuration import DualRun, settings_from_environment
from odyssey_assets.errors import ConfigurationError, OdysseyError, UnreachableError
from odyssey_assets.findings import Severity
from odyssey_assets.metadata import BYTES, OWNERS, POOL, SECONDS, STATUS, asset_key
from odyssey_assets.optimise.build import Optimised, optimise
from odyssey_assets.optimise.indexes import OPTIMISATIONS, Optimisation
from odyssey_assets.report.leave import leave_report
from odyssey_assets.target.location import locate_target
from odyssey_assets.target.url import TargetUrl
from odyssey_assets.target.vacuum import Vacuumed, vacuum
from odyssey_assets.watch import telling
from odyssey_assets.watch.judging import MEASURES, Verdict, thresholds
from odyssey_assets.watch.look import Watched, as_json, from_json, look
from odyssey_assets.watch.readings import Totals

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

HEALTH_KEY = dg.AssetKey("postgresql_health")
TOTALS = "odyssey/totals"
MILLISECONDS_WITH = "odyssey/milliseconds_with"
MILLISECONDS_WITHOUT = "odyssey/milliseconds_without"

_SEVERITY = {Severity.ERROR: dg.AssetCheckSeverity.ERROR, Severity.WARNING: dg.AssetCheckSeverity.WARN}
_SLOW_TABLE = dg.TableSchema(
    columns=[
        dg.TableColumn("mean_ms", "float"),
        dg.TableColumn("slowest_ms", "float"),
        dg.TableColumn("calls", "int"),
        dg.TableColumn("query", "string"),
    ]
)

Result = TypeVar("Result")


def optimisation_key(optimisation: Optimisation) -> dg.AssetKey:
    return dg.AssetKey(["optimisations", optimisation.name])


@dg.multi_asset(
    name="optimisations",
    specs=[
        dg.AssetSpec(
            optimisation_key(each),
            deps=[asset_key(table) for table in each.query.tables],
            description=f"{each.purpose} For the query «{each.query.name}»; outside Prisma's schema.",
            group_name="optimisations",
            kinds={"postgres"},
            owners=OWNERS,
        )
        for each in OPTIMISATIONS
    ],
    can_subset=True,
    # A build waits for a sync's transaction, and a load for the build's lock.
    pool=POOL,
    description="Makes the indexes for the application's main queries CONCURRENTLY, and measures what they bring.",
)
def optimisations(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    wanted = [each for each in OPTIMISATIONS if optimisation_key(each) in context.selected_asset_keys]
    for made in _reported(context, lambda: optimise(_target(), wanted, context.log.info)):
        yield dg.MaterializeResult(asset_key=optimisation_key(made.optimisation), metadata=_optimised_metadata(made))


@dg.multi_asset(
    name="watch_postgresql",
    specs=[
        dg.AssetSpec(
            HEALTH_KEY,
            description="How the server fares: connections, cache, locks, slow queries, dead rows, size. Every number "
            "is plotted over time.",
            group_name="operations",
            kinds={"postgres"},
            owners=OWNERS,
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(each.name, asset=HEALTH_KEY, description=f"{each.description} Threshold: {each.variable}.")
        for each in MEASURES
    ],
    description="Looks at PostgreSQL's own statistics and changes nothing.",
)
def health(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    watched = _reported(context, lambda: look(_target(), _last_totals(context.instance), thresholds()))
    return dg.MaterializeResult(
        asset_key=HEALTH_KEY,
        metadata=_health_metadata(watched),
        check_results=[_health_check(each) for each in watched.verdicts],
    )


@dg.op(name="vacuum_tables", description="VACUUM (ANALYZE) of every table, while the application goes on.")
def vacuum_tables(context: dg.OpExecutionContext) -> None:
    done = _reported(context, _vacuum_all)
    context.add_output_metadata({"tables": len(done.seconds), SECONDS: round(sum(done.seconds.values()), 3)})


@dg.job(name="vacuum", description="Removes dead rows and takes the planner's statistics anew, table by table.")
def vacuum_job() -> None:
    vacuum_tables()


def watch_job() -> "UnresolvedAssetJobDefinition":
    return dg.define_asset_job(
        "watch",
        selection=dg.AssetSelection.assets(HEALTH_KEY),
        description="Looks at how PostgreSQL fares, for the days after the switch and ever after.",
    )


def optimise_job() -> "UnresolvedAssetJobDefinition":
    return dg.define_asset_job(
        "optimise",
        selection=dg.AssetSelection.assets(*map(optimisation_key, OPTIMISATIONS)),
        description="Makes the indexes for the application's main queries where they are missing.",
    )


def upkeep_schedules(dual_run: DualRun) -> list[dg.ScheduleDefinition]:
    """On from the start with the dual run; they do not rest after the switch, for which they are most of all."""
    status = dg.DefaultScheduleStatus.RUNNING if dual_run.is_on else dg.DefaultScheduleStatus.STOPPED
    return [
        dg.ScheduleDefinition(
            name="watch",
            job_name="watch",
            cron_schedule=dual_run.watch_cron,
            default_status=status,
            description="Looks at how PostgreSQL fares.",
        ),
        dg.ScheduleDefinition(
            name="vacuum",
            job_name="vacuum",
            cron_schedule=dual_run.vacuum_cron,
            default_status=status,
            description="VACUUM (ANALYZE) of every table once a night.",
        ),
    ]


def _target() -> TargetUrl:
    return locate_target(settings_from_environment())


def _reported(context: dg.OpExecutionContext | dg.AssetExecutionContext, work: Callable[[], Result]) -> Result:
    """The result; a failure leaves a report, from which the alerts take its reason."""
    started_at = datetime.now(UTC)
    try:
        return work()
    except OdysseyError as error:
        leave_report(
            settings_from_environment().report_dir, context.run.job_name, context.run.run_id, started_at, None, error
        )
        raise dg.Failure(str(error), allow_retries=isinstance(error, UnreachableError)) from None


def _vacuum_all() -> Vacuumed:
    done = vacuum(_target())
    if done.forbidden:
        raise ConfigurationError(
            f"The role may not vacuum {', '.join(done.forbidden)}; the other {len(done.seconds)} tables are done.",
            hint="Let the schedule run as the tables' owner, or from PostgreSQL 17 on GRANT MAINTAIN; else turn it off "
            "and trust autovacuum.",
        )
    return done


def _last_totals(instance: dg.DagsterInstance) -> Totals | None:
    event = instance.get_latest_materialization_event(HEALTH_KEY)
    materialization = event.asset_materialization if event else None
    kept = materialization.metadata.get(TOTALS) if materialization else None
    return None if kept is None else from_json(kept.value)


def _optimised_metadata(made: Optimised) -> dict[str, Any]:
    times = {MILLISECONDS_WITHOUT: made.milliseconds_without, MILLISECONDS_WITH: made.milliseconds_with}
    return {
        STATUS: made.status.value,
        BYTES: made.size_bytes,
        SECONDS: round(made.build_seconds, 3),
        "query": made.optimisation.query.name,
        "is_used": "not measured" if made.is_used is None else made.is_used,
        **{name: round(value, 3) for name, value in times.items() if value is not None},
    }


def _health_metadata(watched: Watched) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        f"odyssey/{each.measure.name}": telling.NOT_VISIBLE if each.value is None else round(each.value, 3)
        for each in watched.verdicts
    }
    numbers["odyssey/open_connections"] = watched.reading.connections
    numbers["odyssey/waiting_sessions"] = watched.reading.lock_waits
    numbers[TOTALS] = dg.MetadataValue.json(as_json(watched.reading.totals))
    if watched.slow.statements:
        numbers["slowest"] = dg.MetadataValue.table(
            [
                dg.TableRecord(
                    {
                        "mean_ms": round(each.mean_milliseconds, 3),
                        "slowest_ms": round(each.slowest_milliseconds, 3),
                        "calls": each.calls,
                        "query": each.text,
                    }
                )
                for each in watched.slow.statements
            ],
            schema=_SLOW_TABLE,
        )
    return numbers


def _health_check(verdict: Verdict) -> dg.AssetCheckResult:
    """What is not visible is a warning: it has not passed, and nothing is known to be wrong."""
    known = {"value": verdict.value, "threshold": verdict.threshold}
    return dg.AssetCheckResult(
        passed=verdict.passed is True,
        asset_key=HEALTH_KEY,
        check_name=verdict.measure.name,
        severity=dg.AssetCheckSeverity.WARN if verdict.passed is None else _SEVERITY[verdict.measure.severity],
        description=telling.sentence(verdict),
        metadata={name: round(value, 3) for name, value in known.items() if value is not None},
    )
