"""The backups in the UI: assets that count only once they were restored."""

from pathlib import Path

import dagster as dg
import pytest

from odyssey_assets.backup.manifest import Kind
from odyssey_assets.backup.store import data_path, list_backups
from odyssey_assets.backup_assets import BACKUP_KEYS, RESTORED_KEYS
from odyssey_assets.configuration import dual_run_from_environment
from odyssey_assets.definitions import build_definitions
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets_tests.backup.conftest import flip_a_byte
from odyssey_assets_tests.dagster_layer.conftest import QUIET, message, tables_materialized, verdicts
from odyssey_assets_tests.statements import run_postgres

NAMES = {"backups/sqlite", "backups/postgresql"}


@pytest.fixture
def backups(tmp_path: Path, surroundings: str) -> Path:
    run_postgres(surroundings, "CREATE TABLE t (i integer); INSERT INTO t VALUES (1), (2)")
    return tmp_path / "state" / "backups"


def run_job(instance: dg.DagsterInstance, job: str, source: Path) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(odyssey=OdysseyEngine(sqlite_path=str(source), backups_kept=2))
    return definitions.resolve_job_def(job).execute_in_process(
        run_config=QUIET, instance=instance, raise_on_error=False
    )


def test_the_job_backs_up_both_sides_and_tries_each(instance: dg.DagsterInstance, source: Path, backups: Path) -> None:
    result = run_job(instance, "backup", source)
    assert result.success
    assert tables_materialized(result) == NAMES
    found = verdicts(result)
    assert {(name, "restored") for name in NAMES} == set(found)
    assert all(each.passed for each in found.values())
    kept = list_backups(backups).readable
    assert {each.kind for each in kept} == set(Kind)
    assert all(each.is_restorable for each in kept)
    rows = {
        event.asset_key.to_user_string(): event.materialization.metadata["dagster/row_count"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert rows["backups/postgresql"] == 2


def test_older_ones_go(instance: dg.DagsterInstance, source: Path, backups: Path) -> None:
    for _ in range(3):
        assert run_job(instance, "backup", source).success
    assert {kind: len(list_backups(backups).of(kind)) for kind in Kind} == {Kind.SQLITE: 2, Kind.POSTGRESQL: 2}


def test_a_drill_alone_takes_no_backup_and_finds_one_that_rotted(
    instance: dg.DagsterInstance, source: Path, backups: Path
) -> None:
    assert run_job(instance, "backup", source).success
    for manifest in list_backups(backups).readable:
        if manifest.kind is Kind.SQLITE:
            flip_a_byte(data_path(backups, manifest))
    result = run_job(instance, "drill", source)
    assert result.success
    assert tables_materialized(result) == set()
    found = verdicts(result)
    assert {name: found[name, "restored"].passed for name in NAMES} == {
        "backups/sqlite": False,
        "backups/postgresql": True,
    }
    assert found["backups/sqlite", "restored"].severity is dg.AssetCheckSeverity.ERROR
    assert len(list_backups(backups).readable) == 2


def test_what_could_not_be_tried_has_not_passed(instance: dg.DagsterInstance, source: Path, backups: Path) -> None:
    found = verdicts(run_job(instance, "drill", source))
    assert {each.passed for each in found.values()} == {False}
    assert {each.severity for each in found.values()} == {dg.AssetCheckSeverity.WARN}
    assert "There is no backup of sqlite yet" in str(found["backups/sqlite", "restored"].description)


def test_materializing_one_brings_its_check(instance: dg.DagsterInstance, source: Path, backups: Path) -> None:
    layer = build_definitions().resolve_job_def("backup").asset_layer
    assert set(layer.asset_graph.asset_check_keys) == set(RESTORED_KEYS)
    assert set(layer.selected_asset_keys) == set(BACKUP_KEYS)


def test_one_side_that_fails_leaves_the_other_its_backup(
    instance: dg.DagsterInstance, tmp_path: Path, backups: Path
) -> None:
    result = run_job(instance, "backup", tmp_path / "missing.db")
    assert not result.success
    assert "There is no SQLite file" in message(result)
    assert tables_materialized(result) == {"backups/postgresql"}
    assert [each.kind for each in list_backups(backups).readable] == [Kind.POSTGRESQL]


def test_when_it_is_taken_can_be_set() -> None:
    assert dual_run_from_environment({"ODYSSEY_BACKUP_CRON": "5 1 * * *"}).backup_cron == "5 1 * * *"
    assert dual_run_from_environment({}).backup_cron == "41 2 * * *"
