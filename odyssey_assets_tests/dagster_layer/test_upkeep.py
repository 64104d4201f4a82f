"""Upkeep in the UI: numbers as metadata, thresholds as checks, failures with their reason, and all of it scheduled."""

from typing import Any

import dagster as dg
import pytest

from odyssey_assets.alerts.run_report import job_observation
from odyssey_assets.alerts.state import AlertState
from odyssey_assets.alerts.transitions import judge
from odyssey_assets.configuration import ENV_POSTGRES, DualRun, settings_from_environment
from odyssey_assets.definitions import build_definitions
from odyssey_assets.optimise.indexes import OPTIMISATIONS
from odyssey_assets.report.store import read_report
from odyssey_assets.run_history import run_observations
from odyssey_assets.target import opening
from odyssey_assets.upkeep import HEALTH_KEY, MILLISECONDS_WITH, MILLISECONDS_WITHOUT, TOTALS
from odyssey_assets.watch.judging import MEASURES
from odyssey_assets_tests.dagster_layer.conftest import QUIET, message, verdicts
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres


def started(instance: dg.DagsterInstance, job: str) -> dg.ExecuteInProcessResult:
    """The job as its schedule starts it."""
    resolved = build_definitions().resolve_job_def(job)
    return resolved.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.asset_key.to_user_string(): {name: each.value for name, each in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


def test_every_number_is_metadata_and_every_threshold_a_check(surroundings: str, instance: dg.DagsterInstance) -> None:
    first = started(instance, "watch")
    assert first.success
    (numbers,) = metadata_of(first).values()
    assert {f"odyssey/{each.name}" for each in MEASURES} <= numbers.keys()
    assert numbers["odyssey/open_connections"] >= 1
    found = verdicts(first)
    assert {name for _, name in found} == {each.name for each in MEASURES}
    assert found[HEALTH_KEY.to_user_string(), "connections"].passed
    unseen = found[HEALTH_KEY.to_user_string(), "slow_queries"]
    assert (unseen.passed, unseen.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert str(unseen.description).startswith("not visible: the extension is missing")
    assert numbers["odyssey/slow_queries"] == "not visible"


def test_counts_are_those_since_the_last_look(surroundings: str, instance: dg.DagsterInstance) -> None:
    (before,) = metadata_of(started(instance, "watch")).values()
    (after,) = metadata_of(started(instance, "watch")).values()
    assert before[TOTALS]["since"] == after[TOTALS]["since"]
    assert before[TOTALS]["commits"] < after[TOTALS]["commits"]


def test_a_crossed_threshold_is_an_alert(
    surroundings: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODYSSEY_WATCH_CONNECTIONS_PERCENT", "0")
    monkeypatch.setenv("ODYSSEY_WATCH_SLOW_MS", "off")
    result = started(instance, "watch")
    (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[result.run_id]))
    seen = list(run_observations(instance, record, lambda _: None))
    broken = {each.name for each in seen if each.is_broken and each.severity == "error"}
    assert broken == {"postgresql_health.connections"}
    state = judge(AlertState(), seen, now=1e12, reminder_seconds=1e9)
    assert any("connection_limit" in n.observation.detail for m in state.outbox for n in m.notices)


@pytest.mark.parametrize("job", ["watch", "vacuum"])
def test_a_server_that_is_not_there_fails_the_run_with_its_reason(
    job: str, surroundings: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "TRIES", 1)
    monkeypatch.setenv(ENV_POSTGRES, "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    result = started(instance, job)
    assert not result.success
    assert "cannot be reached" in message(result)
    report = read_report(settings_from_environment().report_dir, result.run_id)
    observed = job_observation(result.run_id, job, 1.0, succeeded=False, report=report)
    assert observed.detail.startswith("the run could not reach a database")


def test_each_index_is_an_asset_with_its_times(surroundings: str, instance: dg.DagsterInstance) -> None:
    run_postgres(surroundings, prisma_sql(5))
    made = metadata_of(started(instance, "optimise"))
    assert set(made) == {f"optimisations/{each.name}" for each in OPTIMISATIONS}
    assert {each["odyssey/status"] for each in made.values()} == {"made"}
    newest = made["optimisations/feedback_active"]
    assert newest[MILLISECONDS_WITH] > 0
    assert newest[MILLISECONDS_WITHOUT] > 0
    again = metadata_of(started(instance, "optimise"))
    assert {each["odyssey/status"] for each in again.values()} == {"there already"}
    assert not any(MILLISECONDS_WITHOUT in each for each in again.values())


def test_vacuum_goes_over_every_table(surroundings: str, instance: dg.DagsterInstance) -> None:
    run_postgres(surroundings, prisma_sql(5))
    assert started(instance, "vacuum").success
    analyzed = (
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples >= 0"
    )
    assert ask_postgres(surroundings, analyzed) == [(37,)]


def test_a_role_that_may_not_vacuum_is_told(
    surroundings: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_postgres(surroundings, prisma_sql(5) + ";CREATE ROLE reader_only LOGIN PASSWORD 'x'")
    try:
        monkeypatch.setenv(ENV_POSTGRES, f"postgresql://reader_only:x@{surroundings.partition('@')[2]}")
        result = started(instance, "vacuum")
        assert not result.success
        assert message(result).startswith("The role may not vacuum AIUsageLog, ")
    finally:
        run_postgres(surroundings, "DROP ROLE reader_only")


@pytest.mark.parametrize(("is_on", "status"), [(True, "RUNNING"), (False, "STOPPED")])
def test_it_is_scheduled_with_the_dual_run_and_at_hours_of_ones_own(is_on: bool, status: str) -> None:
    dual_run = DualRun(is_on=is_on, watch_cron="1 * * * *", vacuum_cron="2 2 * * *")
    schedules = {each.name: each for each in build_definitions(dual_run=dual_run).schedules or ()}  # type: ignore[union-attr]
    assert {name: schedules[name].cron_schedule for name in ("watch", "vacuum")} == {  # type: ignore[union-attr]
        "watch": "1 * * * *",
        "vacuum": "2 2 * * *",
    }
    assert {schedules[name].default_status.value for name in ("watch", "vacuum")} == {status}  # type: ignore[union-attr]
