"""Ticks of the schedules and of the sensor that watches the file: when they start a run, and the reason when not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test, freeze_time

from odyssey_assets.configuration import ENV_POSTGRES, DualRun
from odyssey_assets.cutover import store
from odyssey_assets.cutover.steps import State
from odyssey_assets.metadata import WRITES_TAG
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.schedules import schedules
from odyssey_assets.sensors import publications_sensor, source_changed_sensor
from odyssey_assets.sync.run import run
from odyssey_assets.target import opening
from odyssey_assets.target.url import parse_target_url
from odyssey_assets.waiting import SUBMITTED_WITHIN, waiting_run
from odyssey_assets_tests.statements import run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import request_for

JOB_ORIGIN = RemoteJobOrigin(
    repository_origin=RemoteRepositoryOrigin(
        code_location_origin=RegisteredCodeLocationOrigin("odyssey"), repository_name="__repository__"
    ),
    job_name="sync",
)
"""Dagster queues no run without one."""

RENAME = """UPDATE "Village" SET "name" = 'renamed'"""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One that contexts can open again by its reference."""
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"telemetry": {"enabled": False}}) as opened:
        yield opened


def tick(instance: dg.DagsterInstance, source: Path) -> dg.RunRequest | dg.SkipReason:
    (resync,) = (each for each in schedules(DualRun()) if each.name == "resync")
    resources = {"odyssey": OdysseyEngine(sqlite_path=str(source))}
    with dg.build_schedule_context(instance=instance, resources=resources) as context:
        result = resync(context)
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result


def test_before_anything_was_published_a_run_is_asked_for(
    instance: dg.DagsterInstance, source: Path, surroundings: str
) -> None:
    assert isinstance(tick(instance, source), dg.RunRequest)


CHANGES: dict[str, Callable[[Path, str], None]] = {
    "in SQLite": lambda source, _: run_sqlite(source, RENAME),
    "in PostgreSQL": lambda _, uri: run_postgres(uri, RENAME),
    "of the file's place": lambda source, _: source.unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_skips_with_a_reason_until_something_changed(
    instance: dg.DagsterInstance, source: Path, surroundings: str, tmp_path: Path, change: str
) -> None:
    assert run(request_for(tmp_path / "state", source, surroundings)).ok
    skipped = tick(instance, source)
    assert isinstance(skipped, dg.SkipReason)
    assert str(skipped.skip_message).startswith("SQLite and PostgreSQL are unchanged since publication 1 (")
    CHANGES[change](source, surroundings)
    assert isinstance(tick(instance, source), dg.RunRequest)


def run_that_waits(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, tags: dict[str, str] = WRITES_TAG) -> str:
    return create_run_for_test(instance, job_name="sync", status=status, tags=tags, remote_job_origin=JOB_ORIGIN).run_id


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED])
def test_runs_never_pile_up(
    instance: dg.DagsterInstance, source: Path, surroundings: str, status: dg.DagsterRunStatus
) -> None:
    waiting = run_that_waits(instance, status)
    skipped = tick(instance, source)
    assert isinstance(skipped, dg.SkipReason)
    assert waiting in str(skipped.skip_message)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS])
def test_a_run_that_has_begun_is_not_waited_for(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    run_that_waits(instance, status)
    assert waiting_run(instance) is None


def test_a_waiting_run_that_only_reads_is_in_nobodys_way(instance: dg.DagsterInstance) -> None:
    run_that_waits(instance, dg.DagsterRunStatus.QUEUED, {})
    assert waiting_run(instance) is None


def test_a_run_that_a_killed_daemon_never_submitted_does_not_stop_the_dual_run(instance: dg.DagsterInstance) -> None:
    with freeze_time(datetime.now(UTC) - SUBMITTED_WITHIN - timedelta(seconds=1)):
        run_that_waits(instance, dg.DagsterRunStatus.NOT_STARTED)
    assert waiting_run(instance) is None
    with freeze_time(datetime.now(UTC) - timedelta(days=7)):
        queued = run_that_waits(instance, dg.DagsterRunStatus.QUEUED)
    assert waiting_run(instance) == queued


def told(instance: dg.DagsterInstance, source: Path, name: str) -> str:
    """The reason by which a schedule skips; empty where it asks for a run."""
    (schedule,) = (each for each in schedules(DualRun()) if each.name == name)
    resources = {"odyssey": OdysseyEngine(sqlite_path=str(source))}
    with dg.build_schedule_context(instance=instance, resources=resources) as context:
        result = schedule(context)
    return str(result.skip_message) if isinstance(result, dg.SkipReason) else ""


def test_all_that_follow_sqlite_rest_while_a_cutover_is_at_work_and_once_postgresql_is_the_truth(
    instance: dg.DagsterInstance, source: Path, surroundings: str, tmp_path: Path
) -> None:
    following = ("resync", "verify", "observe")
    assert run(request_for(tmp_path, source, surroundings)).ok
    run_sqlite(source, RENAME)
    assert {told(instance, source, name) for name in following} == {""}
    target = parse_target_url(surroundings)
    begun = store.begin(target, source_path=str(source), is_rehearsal=False, seals_source=True)
    for state, reason in (
        (State.RUNNING, f"Cut-over {begun.id} is not finished: it is at work, or waits for "),
        (State.FINISHED, f"PostgreSQL is the truth since cut-over {begun.id} ("),
    ):
        store.change_state(target, begun, state)
        assert all(told(instance, source, name).startswith(reason) for name in following)
        first = look(instance, source, None)
        assert reason in str(look(instance, source, first.cursor).skip_reason)
    store.change_state(target, begun, State.ROLLED_BACK)
    assert {told(instance, source, name) for name in following} == {""}


@pytest.mark.parametrize("name", ["resync", "verify"])
def test_where_nobody_can_tell_the_run_itself_must_fail_and_be_seen(
    instance: dg.DagsterInstance, source: Path, surroundings: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(opening, "TRIES", 1)
    monkeypatch.setenv(ENV_POSTGRES, "postgresql://nobody@127.0.0.1:9/nothing")
    assert told(instance, source, name) == ""


def publications(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    resources = {"odyssey": OdysseyEngine()}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        result = publications_sensor(DualRun())(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_what_was_published_without_dagster_is_shown_once(
    instance: dg.DagsterInstance, source: Path, surroundings: str, tmp_path: Path
) -> None:
    assert publications(instance, None).asset_events == []
    assert run(request_for(tmp_path, source, surroundings)).ok
    told = publications(instance, None)
    for event in told.asset_events:
        instance.report_runless_asset_event(event)
    names = {each.asset_key.path[-1] for each in told.asset_events if isinstance(each, dg.AssetMaterialization)}
    assert names == {table.name for table in tables_in_order()}
    again = publications(instance, told.cursor)
    assert (again.asset_events, again.cursor, again.skip_reason) == ([], "1", dg.SkipReason("Publication 1 is shown."))
    # What a run of Dagster's has shown is not told again.
    assert publications(instance, None).asset_events == []
    run_sqlite(source, RENAME)
    assert run(request_for(tmp_path, source, surroundings, applies_changes=True)).ok
    assert publications(instance, again.cursor).cursor == "2"
    assert publications(instance, again.cursor).asset_events


@pytest.mark.parametrize(("is_on", "expected"), [(True, "RUNNING"), (False, "STOPPED")])
def test_they_are_off_until_the_dual_run_is_on(is_on: bool, expected: str) -> None:
    made = {each.name: each for each in schedules(DualRun(is_on=is_on, cron="*/2 * * * *"))}
    assert made.keys() == {"resync", "verify", "observe", "backup"}
    assert {each.default_status.value for each in made.values()} == {expected}
    assert made["resync"].cron_schedule == "*/2 * * * *"
    assert made["backup"].cron_schedule == "41 2 * * *"


def look(instance: dg.DagsterInstance, source: Path, cursor: str | None) -> dg.SensorResult:
    resources = {"odyssey": OdysseyEngine(sqlite_path=str(source))}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        result = source_changed_sensor(DualRun(debounce_seconds=1e-9))(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_the_sensor_starts_one_run_after_a_change_and_none_without(
    instance: dg.DagsterInstance, source: Path, surroundings: str
) -> None:
    first = look(instance, source, None)
    assert (first.run_requests, "still changing" in str(first.skip_reason)) == ([], True)
    second = look(instance, source, first.cursor)
    assert len(second.run_requests or []) == 1
    third = look(instance, source, second.cursor)
    assert (third.run_requests, "has not changed" in str(third.skip_reason)) == ([], True)
    run_sqlite(source, RENAME)
    changed = look(instance, source, third.cursor)
    run_that_waits(instance, dg.DagsterRunStatus.QUEUED)
    assert "waits already" in str(look(instance, source, changed.cursor).skip_reason)
