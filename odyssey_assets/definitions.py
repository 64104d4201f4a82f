"""The front door: everything Dagster loads, assembled and nothing else."""

from collections.abc import Iterable

import dagster as dg

from odyssey_assets.alerts.settings import is_configured
from odyssey_assets.assets import odyssey_tables, with_overdue_policy
from odyssey_assets.backup_assets import backup_assets
from odyssey_assets.configuration import DualRun, dual_run_from_environment
from odyssey_assets.cutover_job import cutover_asset, cutover_job
from odyssey_assets.deployment import ExecutorChoice, LogFormat, deployment_from_environment
from odyssey_assets.executors import executor_of
from odyssey_assets.jobs import backup_job, drill_job, migrate_job, observe_job, preflight_job, sync_job, verify_job
from odyssey_assets.preflight_check import preflight_check
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.run_logs import write_runs_as_json
from odyssey_assets.schedules import schedules
from odyssey_assets.sensors import alerts_sensor, publications_sensor, source_changed_sensor
from odyssey_assets.source_assets import observe_sqlite, sqlite_database
from odyssey_assets.upkeep import health, optimisations, optimise_job, upkeep_schedules, vacuum_job, watch_job


def build_definitions(
    *,
    odyssey: OdysseyEngine | None = None,
    tables: Iterable[str] | None = None,
    dual_run: DualRun | None = None,
    has_alerts: bool = False,
    executor: ExecutorChoice = ExecutorChoice.IN_PROCESS,
) -> dg.Definitions:
    """The definitions; tests pass an engine of their own, the command line the tables its jobs are about."""
    names = None if tables is None else tuple(tables)
    dual_run = dual_run or DualRun()
    return dg.Definitions(
        assets=[
            sqlite_database,
            observe_sqlite,
            cutover_asset,
            *with_overdue_policy(odyssey_tables, dual_run),
            *backup_assets,
            optimisations,
            health,
        ],
        asset_checks=[preflight_check],
        jobs=[
            migrate_job(names),
            sync_job(names),
            verify_job(names),
            observe_job(),
            preflight_job(),
            backup_job(),
            drill_job(),
            cutover_job(),
            optimise_job(),
            watch_job(),
            vacuum_job,
        ],
        schedules=[*schedules(dual_run), *upkeep_schedules(dual_run)],
        sensors=[
            source_changed_sensor(dual_run),
            publications_sensor(dual_run),
            alerts_sensor(dual_run, is_on=has_alerts),
        ],
        resources={"odyssey": odyssey or OdysseyEngine()},
        executor=executor_of(executor),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads; a function, so that importing this module reads no environment."""
    deployment = deployment_from_environment()
    if deployment.log_format is LogFormat.JSON:
        write_runs_as_json()
    return build_definitions(
        dual_run=dual_run_from_environment(), has_alerts=is_configured(), executor=deployment.executor
    )
