"""Which tables the UI shows as behind: exactly those whose source moved on since they were made from it."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from odyssey_assets.assets import odyssey_tables
from odyssey_assets.metadata import ROWS_BEHIND, source_key
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.source_assets import observe_sqlite, sqlite_database
from odyssey_assets_tests.dagster_layer.conftest import QUIET, materialized
from odyssey_assets_tests.statements import run_sqlite

TABLES = [table.name for table in tables_in_order()]
RENAME = """UPDATE "Badge" SET "name" = 'renamed' WHERE rowid = 1"""


def observe(instance: dg.DagsterInstance, source: Path) -> dg.ExecuteInProcessResult:
    definitions = dg.Definitions(
        assets=[sqlite_database, observe_sqlite, odyssey_tables],
        jobs=[dg.define_asset_job("observe", selection=dg.AssetSelection.assets(*observe_sqlite.keys))],
        resources={"odyssey": OdysseyEngine(sqlite_path=str(source))},
    )
    result = definitions.resolve_job_def("observe").execute_in_process(instance=instance, run_config=QUIET)
    assert result.success
    return result


def stale_tables(instance: dg.DagsterInstance) -> set[str]:
    graph = dg.Definitions(
        assets=[sqlite_database, observe_sqlite, odyssey_tables], resources={"odyssey": OdysseyEngine()}
    ).get_repository_def().asset_graph  # fmt: skip
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return {table for table in TABLES if resolver.get_status(dg.AssetKey(table)).value != "FRESH"}


@pytest.mark.slow
def test_after_an_observation_exactly_the_tables_that_changed_are_behind(
    instance: dg.DagsterInstance, source: Path, surroundings: str
) -> None:
    tables = dg.AssetSelection.assets(odyssey_tables).without_checks()
    assert materialized(instance, source, tables).success
    observe(instance, source)
    assert stale_tables(instance) & {"Badge", "Village"} == set()
    before = stale_tables(instance)
    run_sqlite(source, RENAME)
    observed = observe(instance, source)
    behind = {
        event.asset_key.path[-1]: event.asset_observation_data.asset_observation.metadata[ROWS_BEHIND].value
        for event in observed.all_events
        if event.event_type_value == "ASSET_OBSERVATION" and event.asset_key is not None
    }
    assert {table for table, rows in behind.items() if rows} == {"Badge"}
    children = stale_tables(instance) - before
    assert "Badge" in children
    assert "Village" not in children
    assert materialized(instance, source, tables).success
    assert stale_tables(instance) == before


def test_every_table_has_a_source_that_can_be_observed() -> None:
    assert set(observe_sqlite.keys) == {source_key(table) for table in TABLES}
