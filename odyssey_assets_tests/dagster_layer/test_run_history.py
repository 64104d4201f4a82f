"""What is read from Dagster's storage: every verdict of every run, the newest ones, and how old tables are."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from odyssey_assets import run_history
from odyssey_assets.alerts.observation import Observation
from odyssey_assets.alerts.state import AlertState
from odyssey_assets.alerts.transitions import judge
from odyssey_assets.configuration import DualRun
from odyssey_assets.findings import Severity
from odyssey_assets.report.document import Document
from odyssey_assets.run_history import SYNC_SCHEDULE, UNCHANGED_REASON, Watch, look
from odyssey_assets.sync.truth import SWITCHED_REASON
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import dagster_url
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.dagster_layer.watched import evaluated, watched_tables

CHECKS = tuple(spec.key for spec in watched_tables.check_specs)
ON = DualRun(is_on=True, overdue_minutes=45)
REPORT: Document = {"ok": True, "snapshot": {"id": "s1"}}


@pytest.fixture(scope="module")
def storage_uri(server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(server) as uri:
        yield uri


@contextmanager
def opened_instance(folder: Path, storage_uri: str | None) -> Iterator[dg.DagsterInstance]:
    """An empty instance with storage in PostgreSQL, or in SQLite files."""
    overrides: dict[str, Any] = {"telemetry": {"enabled": False}}
    if storage_uri is not None:
        overrides["storage"] = {"postgres": {"postgres_url": dagster_url(storage_uri)}}
    with dg.DagsterInstance.local_temp(str(folder), overrides=overrides) as opened:
        opened.wipe()
        opened.wipe_all_schedules()
        if storage_uri is not None:
            opened.optimize_for_webserver(statement_timeout=60_000, pool_recycle=600, max_overflow=5)
        yield opened


@pytest.fixture
def instance(tmp_path: Path, storage_uri: str) -> Iterator[dg.DagsterInstance]:
    with opened_instance(tmp_path, storage_uri) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def either_instance(request: pytest.FixtureRequest, tmp_path: Path, storage_uri: str) -> Iterator[dg.DagsterInstance]:
    """Each storage in turn, for what calls into Dagster's internals."""
    with opened_instance(tmp_path, storage_uri if request.param == "postgres" else None) as opened:
        yield opened


def watch(instance: dg.DagsterInstance, dual_run: DualRun | None = None) -> Watch:
    return Watch(instance, CHECKS, ("User", "Vote"), dual_run or DualRun(), lambda _: REPORT)


def told(state: AlertState, watched: Watch) -> tuple[AlertState, list[str]]:
    """One look and what is news by it."""
    found = look(watched, state, time.time())
    after = judge(replace(state, outbox=()), found.observations, time.time(), 1e9)
    words = [f"{each.change} {each.observation.name}" for message in after.outbox for each in message.notices]
    return replace(after, looked_until=found.looked_until, recent_runs=found.recent_runs), words


def test_the_newest_verdict_of_a_check_has_everything_a_message_needs(either_instance: dg.DagsterInstance) -> None:
    evaluated(either_instance, {"Vote.nulls": (True, "ERROR"), "Vote.rows_equal": (True, "ERROR")})
    run_id = evaluated(either_instance, {"Vote.rows_equal": (False, "WARN")}, job="verify")
    found = {each.name: each for each in run_history.latest_verdicts(either_instance, CHECKS, lambda _: REPORT)}
    assert set(found) == {"Vote.nulls", "Vote.rows_equal"}
    assert not found["Vote.nulls"].is_broken
    broken = found["Vote.rows_equal"]
    assert (broken.is_broken, broken.severity, broken.rows) == (True, Severity.WARNING, 3)
    assert (broken.detail, broken.snapshot_id) == ("3 rows differ", "s1")
    assert (broken.run_id, broken.job) == (run_id, "verify")
    assert time.time() - 60 < broken.at < time.time()


def test_a_check_that_was_only_planned_is_neither_red_nor_green(either_instance: dg.DagsterInstance) -> None:
    evaluated(either_instance, {"Vote.nulls": (False, "ERROR")})
    assert len(list(run_history.latest_verdicts(either_instance, CHECKS, lambda _: None))) == 1
    planned = evaluated(either_instance, {"Vote.nulls": None})
    assert list(run_history.latest_verdicts(either_instance, CHECKS, lambda _: None)) == []
    assert either_instance.get_run_by_id(planned).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]


def test_no_checks_are_no_verdicts(instance: dg.DagsterInstance) -> None:
    assert list(run_history.latest_verdicts(instance, (), lambda _: None)) == []


def test_the_first_look_tells_what_is_broken_now_and_no_history(instance: dg.DagsterInstance) -> None:
    evaluated(instance, {"Vote.nulls": (False, "ERROR"), "User.nulls": (False, "ERROR")})
    evaluated(instance, {"Vote.nulls": (True, "ERROR")})
    state, words = told(AlertState(), watch(instance))
    assert words == ["broken User.nulls"]
    assert told(state, watch(instance))[1] == []


def test_a_failed_run_that_was_the_last_of_its_job_is_told_at_the_first_look(instance: dg.DagsterInstance) -> None:
    evaluated(instance, {"Vote.nulls": None}, job="verify")
    evaluated(instance, {"Vote.nulls": None}, job="sync")
    evaluated(instance, {"Vote.nulls": (True, "ERROR")}, job="sync")
    assert told(AlertState(), watch(instance))[1] == ["broken verification"]


def test_a_red_between_two_looks_is_seen_though_a_later_run_covered_it(instance: dg.DagsterInstance) -> None:
    state, _ = told(AlertState(), watch(instance))
    evaluated(instance, {"Vote.nulls": (False, "ERROR")})
    evaluated(instance, {"Vote.nulls": (True, "ERROR")})
    state, words = told(state, watch(instance))
    assert words == ["broken Vote.nulls", "recovered Vote.nulls"]
    assert told(state, watch(instance))[1] == []


def test_a_failed_run_and_its_recovery_are_seen(instance: dg.DagsterInstance) -> None:
    state, _ = told(AlertState(), watch(instance))
    evaluated(instance, {"Vote.nulls": None}, job="migrate")
    state, words = told(state, watch(instance))
    assert words == ["broken publication"]
    evaluated(instance, {"Vote.nulls": (True, "ERROR")}, job="sync")
    assert told(state, watch(instance))[1] == ["recovered publication"]


def test_a_canceled_run_and_an_unwatched_job_are_no_news(instance: dg.DagsterInstance) -> None:
    state, _ = told(AlertState(), watch(instance))
    evaluated(instance, {"Vote.nulls": None}, job="other")
    run = instance.get_run_by_id(evaluated(instance, {"Vote.nulls": None}, job="verify"))
    assert run is not None
    instance.report_run_canceled(run)
    assert told(state, watch(instance))[1] == []


def test_many_runs_are_looked_at_over_several_ticks_and_none_is_left_out(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_history, "MOST_RUNS", 2)
    state, _ = told(AlertState(), watch(instance))
    for place in range(4):
        evaluated(instance, {"Vote.nulls": (place % 2 == 1, "ERROR")})
    words: list[str] = []
    for _ in range(4):
        state, more = told(state, watch(instance))
        words += more
    assert words == ["broken Vote.nulls", "recovered Vote.nulls"] * 2
    assert told(state, watch(instance))[1] == []


def test_a_removed_check_ends_its_trouble(instance: dg.DagsterInstance) -> None:
    state, _ = told(AlertState(), watch(instance))
    evaluated(instance, {"Vote.nulls": (False, "ERROR")})
    state, _ = told(state, watch(instance))
    without = replace(watch(instance), checks=tuple(key for key in CHECKS if key.name != "nulls"))
    assert told(state, without)[1] == ["recovered Vote.nulls"]


def overdue(instance: dg.DagsterInstance, dual_run: DualRun, *, minutes: float) -> Mapping[str, Observation]:
    """Tables some minutes from now."""
    found = run_history.overdue_observations(instance, ("User", "Vote"), dual_run, time.time() + 60 * minutes)
    return {each.name: each for each in found}


def test_a_table_is_overdue_once_its_last_publication_is_too_old(either_instance: dg.DagsterInstance) -> None:
    published_at = time.time()
    evaluated(either_instance, {"Vote.nulls": (True, "ERROR")}, publishes=True)
    assert {name: each.is_broken for name, each in overdue(either_instance, ON, minutes=44).items()} == {"Vote": False}
    late = overdue(either_instance, ON, minutes=46)
    assert set(late) == {"Vote"}
    assert (late["Vote"].is_broken, late["Vote"].snapshot_id) == (True, "s1")
    assert late["Vote"].began_at == pytest.approx(published_at, abs=30)
    assert late["Vote"].detail == "not brought in step for more than 45 minutes"


def test_without_a_dual_run_nothing_is_overdue(instance: dg.DagsterInstance) -> None:
    evaluated(instance, {"Vote.nulls": (True, "ERROR")}, publishes=True)
    assert not overdue(instance, DualRun(is_on=False), minutes=1000)["Vote"].is_broken


def schedule_state(status: InstigatorStatus) -> InstigatorState:
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="odyssey_assets.definitions"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), SYNC_SCHEDULE)
    return InstigatorState(origin, InstigatorType.SCHEDULE, status, ScheduleInstigatorData("*/15 * * * *"))


def test_the_switch_in_the_ui_counts_before_the_configuration(instance: dg.DagsterInstance) -> None:
    off = DualRun(is_on=False)
    instance.add_instigator_state(schedule_state(InstigatorStatus.DECLARED_IN_CODE))
    assert [run_history.is_dual_run_on(instance, each) for each in (ON, off)] == [True, False]
    instance.update_instigator_state(schedule_state(InstigatorStatus.RUNNING))
    assert [run_history.is_dual_run_on(instance, each) for each in (ON, off)] == [True, True]
    instance.update_instigator_state(schedule_state(InstigatorStatus.STOPPED))
    assert [run_history.is_dual_run_on(instance, each) for each in (ON, off)] == [False, False]


def test_a_table_that_was_proven_unchanged_is_not_overdue(instance: dg.DagsterInstance) -> None:
    evaluated(instance, {"Vote.nulls": (True, "ERROR")}, publishes=True)
    state = schedule_state(InstigatorStatus.RUNNING)
    instance.add_instigator_state(state)

    def tick(minutes: float, reason: str) -> None:
        instance.create_tick(
            TickData(
                state.instigator_origin_id,
                SYNC_SCHEDULE,
                InstigatorType.SCHEDULE,
                TickStatus.SKIPPED,
                time.time() + 60 * minutes,
                skip_reason=reason,
                selector_id=state.selector_id,
            )
        )

    tick(20, f"{UNCHANGED_REASON} since publication 1")
    tick(30, "Run 1 waits already and will see everything up to its start.")
    assert not overdue(instance, ON, minutes=64)["Vote"].is_broken
    assert overdue(instance, ON, minutes=66)["Vote"].is_broken
    # Once PostgreSQL is the truth there is nothing to follow, and nobody is woken for it.
    tick(120, f"{SWITCHED_REASON} since cut-over 1 (today)")
    assert not overdue(instance, ON, minutes=164)["Vote"].is_broken
    # A cut-over that nobody goes on with is not at rest.
    tick(130, "Cut-over 2 is not finished: it is at work, or waits for odyssey cutover --resume or --abort")
    assert overdue(instance, ON, minutes=166)["Vote"].is_broken
