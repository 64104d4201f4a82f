"""What the tests of the Dagster layer stand on: a small source, a target named by the environment, an instance.

Belongs here: fixtures, and running definitions as Dagster does. Does not belong here: what is expected of them.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from odyssey_assets.assets import odyssey_tables
from odyssey_assets.compare.checks import CheckName
from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES, ENV_POSTGRES, ENV_SQLITE, ENV_STATE_DIR
from odyssey_assets.instance import ENV_DAGSTER_STORAGE
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.source_assets import sqlite_database
from odyssey_assets_tests.oracle_catalog import FACTS_DIR

FACTS: dict[str, Any] = json.loads((FACTS_DIR / "schema_v5.json").read_text(encoding="utf-8"))["tables"]
CHECKS = set(CheckName)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written once, to be copied."""
    return write_sample(tmp_path_factory.mktemp("sample") / "odyssey.db").path


@pytest.fixture
def source(sample: Path, tmp_path: Path) -> Path:
    """A small database of the newest version."""
    return Path(shutil.copy(sample, tmp_path / "odyssey.db"))


@pytest.fixture
def surroundings(tmp_path: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An environment that names an empty PostgreSQL database and a state folder of the test's own; its URI."""
    for name in (ENV_SQLITE, ENV_DAGSTER_POSTGRES, ENV_DAGSTER_STORAGE, "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(ENV_POSTGRES, database_uri)
    monkeypatch.setenv(ENV_STATE_DIR, str(tmp_path / "state"))
    return database_uri


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def materialized(
    instance: dg.DagsterInstance, source: Path | None, selection: dg.AssetSelection | None = None, **engine: Any
) -> dg.ExecuteInProcessResult:
    """Materialize a selection, everything without one, as the UI does: through the assets and no job."""
    return dg.materialize(
        [sqlite_database, odyssey_tables],
        instance=instance,
        resources={"odyssey": OdysseyEngine(sqlite_path=str(source or ""), **engine)},
        selection=selection,
        raise_on_error=False,
        run_config=QUIET,
    )


def tables_materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def verdicts(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    """Every verdict of a run, by table and check."""
    return {(each.asset_key.to_user_string(), each.check_name): each for each in result.get_asset_check_evaluations()}


def message(result: dg.ExecuteInProcessResult) -> str:
    """Why the run failed, in the words the UI shows first."""
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    user_failure = failed.step_failure_data.user_failure_data
    assert user_failure is not None
    return str(user_failure.description)


def everything_recorded(instance: dg.DagsterInstance, run_id: str) -> str:
    """The run and all its events as Dagster keeps them."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return "\n".join([repr(run), *(repr(entry) + entry.to_json() for entry in instance.all_logs(run_id))])
