"""What Dagster loads: valid, complete, and the same from the workspace file."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg

from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES, PROJECT_DIR
from odyssey_assets.definitions import build_definitions
from odyssey_assets.instance import ENV_DAGSTER_STORAGE
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.target.url import dagster_url
from odyssey_assets_tests.dagster_layer.conftest import FACTS


def test_the_definitions_are_loadable() -> None:
    dg.Definitions.validate_loadable(build_definitions())


def test_there_is_an_asset_for_every_table_on_either_side_and_one_for_the_file() -> None:
    keys = {key.to_user_string() for key in build_definitions().resolve_asset_graph().get_all_asset_keys()}
    assert keys == {
        *FACTS,
        *(f"sqlite/{table}" for table in FACTS),
        "odyssey_sqlite",
        "odyssey_cutover",
        "backups/sqlite",
        "backups/postgresql",
        "optimisations/feedback_search",
        "optimisations/feedback_active",
        "optimisations/vote_totals",
        "postgresql_health",
    }
    assert len(FACTS) == 37


def test_every_job_is_there() -> None:
    names = {job.name for job in build_definitions().resolve_all_job_defs() if not job.name.startswith("__")}
    assert names == {
        *("migrate", "sync", "verify", "observe", "preflight", "backup", "drill", "cutover"),
        *("optimise", "watch", "vacuum"),
    }


def test_another_engine_and_fewer_tables_can_be_put_in() -> None:
    engine = OdysseyEngine(sqlite_path="elsewhere.db")
    definitions = build_definitions(odyssey=engine, tables=["Vote", "User"])
    selected = definitions.resolve_job_def("migrate").asset_layer.selected_asset_keys
    assert {key.to_user_string() for key in selected} == {"Vote", "User"}
    assert definitions.resources is not None
    assert definitions.resources["odyssey"] is engine


def test_the_workspace_validates_with_dagsters_own_command(tmp_path: Path, database_uri: str) -> None:
    (tmp_path / "dagster.yaml").write_bytes((PROJECT_DIR / "dagster.yaml").read_bytes())
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(tmp_path),
        ENV_DAGSTER_STORAGE: dagster_url(database_uri),
        ENV_DAGSTER_POSTGRES: database_uri,
    }
    command = [str(Path(sys.executable).parent / "dagster"), "definitions", "validate"]
    done = subprocess.run(
        [*command, "-w", str(PROJECT_DIR / "workspace.yaml")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Validation successful for code location odyssey" in said


def test_loading_the_definitions_opens_nothing(tmp_path: Path) -> None:
    """Not a file outside Python's own, not a socket, not a process."""
    watcher = """
import sys
seen = []
def watch(event, arguments):
    if event in ("socket.connect", "subprocess.Popen", "sqlite3.connect", "os.mkdir"):
        seen.append((event, arguments))
import dagster
sys.addaudithook(watch)
import odyssey_assets.definitions
assert not seen, seen
"""
    done = subprocess.run(
        [sys.executable, "-c", watcher],
        cwd=tmp_path,
        env={**os.environ, "ODYSSEY_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
