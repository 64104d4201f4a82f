"""Running a job from the command line: selection, run configuration, and the document that comes back."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES, settings_from_environment
from odyssey_assets.errors import ConfigurationError
from odyssey_assets.launch import launch, selected_tables
from odyssey_assets.progress import Phase, Progress
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.dagster_layer.conftest import FACTS
from odyssey_assets_tests.statements import ask_postgres


@pytest.fixture(scope="module")
def storage_uri(server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(server) as uri:
        yield uri


def test_no_selection_means_all_tables() -> None:
    assert selected_tables(None) is None


@pytest.mark.parametrize("text", ["Vote,User", " Vote , User ", "User,Vote,,Vote"])
def test_names_are_separated_by_commas(text: str) -> None:
    assert selected_tables(text) == {"Vote", "User"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Vote,Nope,vote", "There is no Odyssey table named Nope, vote."),
        ("_prisma_migrations", "There is no Odyssey table named _prisma_migrations."),
        ("", "--tables names no table."),
        (" , ", "--tables names no table."),
    ],
)
def test_other_names_are_refused_with_the_names_there_are(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        selected_tables(text)
    assert refusal.value.message == message
    assert all(table in refusal.value.hint for table in FACTS)


def test_a_launched_job_is_a_run_like_any_other_and_tells_its_progress(
    surroundings: str, storage_uri: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("ODYSSEY_DAGSTER_STORAGE_URL", "")
    monkeypatch.setenv(ENV_DAGSTER_POSTGRES, storage_uri)
    told: list[Progress] = []
    tables = frozenset({"Village", "HRISSync"})
    document = launch(settings_from_environment(), "migrate", tables, {"sqlite_path": str(source)}, told.append)

    assert document["ok"] is True
    assert document["ui"] is None
    assert {step.phase for step in told} >= {Phase.SNAPSHOT, Phase.SURVEY, Phase.LOAD, Phase.PROOF, Phase.COMMIT}
    assert ask_postgres(surroundings, 'SELECT count(*) > 0 FROM "Village"') == [(True,)]
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(str(document["run_id"]))
        assert run is not None
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert run.job_name == "migrate"
        assert run.tags["odyssey/started_by"] == "command line"
        materialized = instance.get_latest_materialization_events([dg.AssetKey("Village"), dg.AssetKey("HRISSync")])
        assert all(materialized.values())
