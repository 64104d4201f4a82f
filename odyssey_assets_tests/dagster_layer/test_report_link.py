"""From a run in the UI to its report: its path is in the run's log, on what was made, and where the run failed."""

from pathlib import Path

import dagster as dg
import pytest

from odyssey_assets.metadata import REPORT
from odyssey_assets_tests.dagster_layer.conftest import materialized
from odyssey_assets_tests.statements import run_postgres

VILLAGE = dg.AssetSelection.assets("Village")


def page_of(source: Path, result: dg.ExecuteInProcessResult) -> Path:
    page = source.parent / "state" / "reports" / f"{result.run_id}.html"
    assert "<!DOCTYPE html>" in page.read_text(encoding="utf-8")
    return page


def told_in_log(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[str]:
    entries = instance.all_logs(result.run_id)
    return [entry.user_message for entry in entries if not entry.is_dagster_event and "report" in entry.user_message]


def failure_metadata(result: dg.ExecuteInProcessResult) -> dict[str, dg.MetadataValue]:
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    user_failure = failed.step_failure_data.user_failure_data
    assert user_failure is not None
    return dict(user_failure.metadata)


@pytest.mark.usefixtures("surroundings")
def test_a_run_names_its_report_in_its_log_and_on_every_table(source: Path, instance: dg.DagsterInstance) -> None:
    result = materialized(instance, source, VILLAGE)
    page = page_of(source, result)
    assert told_in_log(instance, result) == [f"The report of this run: {page}"]
    (event,) = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert metadata[REPORT] == dg.MetadataValue.path(page)


def test_a_run_that_fails_its_checks_names_it_where_it_failed(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    assert materialized(instance, source, VILLAGE).success
    run_postgres(surroundings, 'DELETE FROM "Village"')
    result = materialized(instance, source, dg.AssetSelection.checks_for_assets("Village"))
    assert not result.success
    page = page_of(source, result)
    assert failure_metadata(result)[REPORT] == dg.MetadataValue.path(page)
    assert told_in_log(instance, result) == [f"The report of this run: {page}"]


@pytest.mark.usefixtures("surroundings")
def test_a_run_without_a_verdict_names_it_too(source: Path, instance: dg.DagsterInstance) -> None:
    source.write_bytes(b"")
    result = materialized(instance, source, VILLAGE)
    assert failure_metadata(result)[REPORT] == dg.MetadataValue.path(page_of(source, result))
