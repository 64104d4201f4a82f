"""The job ``cutover``: a click rehearses, only words switch, and the assets show what was published."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from odyssey_assets.cutover_job import DOWNTIME_SECONDS
from odyssey_assets.definitions import build_definitions
from odyssey_assets.metadata import CUTOVER_ASSET
from odyssey_assets.source.fence import can_write, is_sealed
from odyssey_assets.sync.run import run
from odyssey_assets_tests.dagster_layer.conftest import FACTS, QUIET, message
from odyssey_assets_tests.dagster_layer.test_source_assets import stale_tables
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.statements import run_sqlite
from odyssey_assets_tests.sync.requests import request_for

RENAME = """UPDATE "Badge" SET "name" = 'renamed' WHERE rowid = 1"""


def run_cutover(instance: dg.DagsterInstance, source: Path, **asked: Any) -> dg.ExecuteInProcessResult:
    """As from the launchpad; without words it has the job's own configuration."""
    configured = {"resources": {"odyssey": {"config": {"sqlite_path": str(source)}}}}
    config = {"ops": {"cut_over": {"config": asked}}} if asked else {}
    return (
        build_definitions()
        .resolve_job_def("cutover")
        .execute_in_process(run_config=QUIET | configured | config, instance=instance, raise_on_error=False)
    )


def newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> dg.AssetMaterialization:
    event = instance.get_latest_materialization_event(key)
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization


def test_the_launchpad_rehearses_by_itself() -> None:
    job = build_definitions().resolve_job_def("cutover")
    assert job.run_config is not None
    assert job.run_config["ops"]["cut_over"]["config"]["rehearse"] is True


def test_a_rehearsal_then_the_switch(
    instance: dg.DagsterInstance, source: Path, surroundings: str, tmp_path: Path
) -> None:
    assert run(request_for(tmp_path, source, surroundings)).ok
    run_sqlite(source, RENAME)

    rehearsed = run_cutover(instance, source)
    assert rehearsed.success
    assert can_write(source)
    shown = newest(instance, CUTOVER_ASSET).metadata
    assert shown["state"].value == "rehearsed"
    assert float(str(shown[DOWNTIME_SECONDS].value)) > 0
    assert {record.data["step"] for record in shown["steps"].value.records} >= {"fence", "proof", "certificate"}  # type: ignore[union-attr]
    logged = [event.message for event in instance.all_logs(rehearsed.run_id) if not event.is_dagster_event]
    assert any(line.startswith("final sync") for line in logged)
    assert newest(instance, dg.AssetKey("Badge")).metadata["dagster/row_count"].value

    switched = run_cutover(instance, source, rehearse=False)
    assert switched.success
    assert is_sealed(source)
    assert newest(instance, CUTOVER_ASSET).metadata["state"].value == "finished"
    assert differences(source, surroundings) == []
    assert stale_tables(instance) == set()
    assert "is sealed by an earlier cut-over" in message(run_cutover(instance, source))


def test_what_was_published_is_shown_also_where_the_run_fails_after_it(
    instance: dg.DagsterInstance, source: Path, surroundings: str
) -> None:
    page = "http://127.0.0.1:9/nobody"
    failed = run_cutover(instance, source, check_urls=[page], smoke_seconds=0)
    assert not failed.success
    assert f"the application does not work on it: {page}" in message(failed)
    assert {key.to_user_string() for key in instance.all_asset_keys()} >= FACTS.keys()
    assert stale_tables(instance) == set()
    refused = run_cutover(instance, source, action="abort")
    assert message(refused) == "There is no unfinished cut-over. Begin one with odyssey cutover."


@pytest.mark.parametrize("asked", [{"fence_seconds": 0}, {"action": "go"}, {"check_urls": ["ftp://elsewhere"]}])
def test_wrong_words_change_nothing(
    instance: dg.DagsterInstance, source: Path, surroundings: str, asked: dict[str, Any]
) -> None:
    try:
        assert not run_cutover(instance, source, **asked).success
    except dg.DagsterInvalidConfigError:
        assert "action" in asked
    assert can_write(source)
    assert dump(surroundings) == {}
