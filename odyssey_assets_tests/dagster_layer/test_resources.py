"""The engine as a resource: where its databases come from, and the report every run leaves."""

import json
from pathlib import Path

import dagster as dg
import pytest

from odyssey_assets.configuration import ENV_SQLITE
from odyssey_assets_tests.dagster_layer.conftest import materialized, message
from odyssey_assets_tests.statements import ask_postgres, run_postgres

VILLAGE = dg.AssetSelection.assets("Village")


def report(source: Path, result: dg.ExecuteInProcessResult) -> dict[str, object]:
    path = source.parent / "state" / "reports" / f"{result.run_id}.json"
    document: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return document


def test_the_source_can_come_from_the_environment(
    surroundings: str, source: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV_SQLITE, f"file:{source}?connection_limit=1")
    assert materialized(instance, None, VILLAGE).success
    assert ask_postgres(surroundings, 'SELECT count(*) > 0 FROM "Village"') == [(True,)]


@pytest.mark.usefixtures("surroundings")
def test_without_a_source_the_run_says_how_to_name_one(instance: dg.DagsterInstance) -> None:
    result = materialized(instance, None, VILLAGE)
    assert not result.success
    assert message(result) == (
        "No SQLite file was named. "
        "Set ODYSSEY_SQLITE_PATH, or sqlite_path in the configuration of the resource odyssey."
    )


@pytest.mark.usefixtures("surroundings")
def test_a_run_leaves_its_report(source: Path, instance: dg.DagsterInstance) -> None:
    result = materialized(instance, source, VILLAGE)
    document = report(source, result)
    assert document["ok"] is True
    assert document["exit_status"] == 0
    assert document["source_version"] == "v5"


def test_a_run_that_fails_its_checks_leaves_its_report_too(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    assert materialized(instance, source, VILLAGE).success
    run_postgres(surroundings, 'DELETE FROM "Village"')
    result = materialized(instance, source, dg.AssetSelection.checks_for_assets("Village"))
    document = report(source, result)
    assert (document["ok"], document["exit_status"]) == (False, 1)
    assert "Village" in str(document["problem"])


@pytest.mark.usefixtures("surroundings")
def test_a_run_that_reaches_no_verdict_leaves_its_reason(source: Path, instance: dg.DagsterInstance) -> None:
    source.write_bytes(b"")
    result = materialized(instance, source, VILLAGE)
    document = report(source, result)
    assert (document["ok"], document["exit_status"], document["tables"]) == (False, 2, [])
    assert str(document["problem"]) == f"The SQLite file {source} is empty."


def test_unknown_tables_stop_a_run_unless_they_may_stay_behind(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(source)) as connection:
        connection.execute("CREATE TABLE Notes (id TEXT PRIMARY KEY)")
    refused = materialized(instance, source, VILLAGE)
    assert not refused.success
    assert "Notes" in message(refused)
    assert materialized(instance, source, VILLAGE, ignore_unknown=["Notes"]).success
