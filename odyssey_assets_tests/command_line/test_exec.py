"""``odyssey exec``: another program, on the instance that the other commands use."""

import json
import os
import sys
from pathlib import Path

import pytest

from odyssey_assets.configuration import PROJECT_DIR
from odyssey_assets_tests.end_to_end.commands import ODYSSEY, run, surroundings

TOLD = """
import json, os, sys
names = ("DAGSTER_HOME", "ODYSSEY_DAGSTER_STORAGE_URL", "PATH", "POSTGRES_URL_FILE")
print(json.dumps({"arguments": sys.argv[1:], **{name: os.environ.get(name) for name in names}}))
sys.exit(7)
"""


@pytest.mark.parametrize("launcher", ["default", "docker", "k8s"])
def test_the_program_finds_the_instance_and_needs_no_secret_of_the_target(tmp_path: Path, launcher: str) -> None:
    secret = tmp_path / "dagster_url"
    secret.write_text("postgresql://dagster:hidden@db.invalid/dagster\n")
    environment = surroundings(
        tmp_path / "state",
        {
            "ODYSSEY_DAGSTER_POSTGRES_URL_FILE": str(secret),
            "POSTGRES_URL_FILE": str(tmp_path / "not given"),
            "ODYSSEY_RUN_LAUNCHER": launcher,
        },
    )
    ended = run([ODYSSEY, "exec", "python", "-c", TOLD, "--log-format", "json", "-h"], environment, tmp_path)
    assert (ended.status, ended.stderr) == (7, "")
    told = json.loads(ended.stdout)
    assert told["arguments"] == ["--log-format", "json", "-h"]
    assert told["DAGSTER_HOME"] == str(tmp_path / "state" / "dagster")
    assert told["ODYSSEY_DAGSTER_STORAGE_URL"] == "postgresql+psycopg2://dagster:hidden@db.invalid/dagster"
    assert told["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert told["POSTGRES_URL_FILE"] == str(tmp_path / "not given")
    ours = PROJECT_DIR / ("dagster.yaml" if launcher == "default" else f"deploy/dagster.{launcher}.yaml")
    assert (tmp_path / "state" / "dagster" / "dagster.yaml").read_text() == ours.read_text()


def test_a_program_there_is_not_and_a_launcher_there_is_not_are_refused(tmp_path: Path) -> None:
    environment = surroundings(tmp_path / "state", {"ODYSSEY_DAGSTER_POSTGRES_URL": "postgresql://u@db.invalid/d"})
    ended = run([ODYSSEY, "exec", "dagster-demon", "run"], environment, tmp_path)
    assert ended.status == 2
    assert "There is no program named dagster-demon" in ended.stderr
    ended = run([ODYSSEY, "exec", "dagster"], {**environment, "ODYSSEY_RUN_LAUNCHER": "podman"}, tmp_path)
    assert ended.status == 2
    assert "ODYSSEY_RUN_LAUNCHER must be one of default, docker, k8s" in ended.stderr
