"""Dagster as in production, without containers: the processes of ``deploy/compose.yaml``, as it starts them."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.configuration import ENV_POSTGRES, ENV_SQLITE, ENV_STATE_DIR, PROJECT_DIR
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.deployed import compose, health_command, service_command
from odyssey_assets_tests.end_to_end.commands import surroundings
from odyssey_assets_tests.end_to_end.daemons import running
from odyssey_assets_tests.statements import ask_postgres, ask_sqlite, run_sqlite
from odyssey_assets_tests.waiting import wait_until

TABLES = frozenset({"Village"})
"""One will do, for a run of all of them leaves thousands of events."""

ROWS_SQL = 'SELECT "id", "name" FROM "Village" ORDER BY "id"'

LAUNCH = """
mutation launch($execution: ExecutionParams!) {
  launchRun(executionParams: $execution) { __typename ... on LaunchRunSuccess { run { runId } } }
}
"""
STATUS = "query status($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"


@dataclass(frozen=True)
class Deployment:
    """Two databases, secrets in files, and a folder per container, of which none sees another's."""

    folder: Path
    source: Path
    target_uri: str
    code_port: int
    ui_port: int

    def environment(self, service: str) -> dict[str, str]:
        secrets = self.folder / "secrets"
        # Only the code server is given the target's secret, as in compose.yaml.
        target = secrets / ("target_url" if service == "code" else "not given")
        return surroundings(
            self.folder / service,
            {
                ENV_SQLITE: str(self.source) if service == "code" else "/not/mounted",
                "POSTGRES_URL_FILE": str(target),
                "ODYSSEY_DAGSTER_POSTGRES_URL_FILE": str(secrets / "dagster_url"),
                "ODYSSEY_LOG_FORMAT": compose()["x-environment"]["ODYSSEY_LOG_FORMAT"],
                "ODYSSEY_CODE_SERVER_HOST": "127.0.0.1",
                "ODYSSEY_CODE_SERVER_PORT": str(self.code_port),
            },
        )

    def here(self, command: list[str]) -> list[str]:
        """The same command by this environment's programs, on ports of its own."""
        here = {"0.0.0.0": "127.0.0.1", "4000": str(self.code_port), "3000": str(self.ui_port)}
        words = [here.get(word, word).replace(":3000/", f":{self.ui_port}/") for word in command]
        return [sys.executable if words[0] == "python" else str(Path(sys.executable).parent / words[0]), *words[1:]]

    def log(self, service: str) -> Path:
        return self.folder / f"{service}.log"

    @contextmanager
    def started(self, service: str) -> Iterator["subprocess.Popen[bytes]"]:
        """In a process group of its own, which is killed at the end."""
        command = self.here(service_command(service))
        with running(command, self.log(service), self.environment(service)) as process:
            yield process

    def is_healthy(self, service: str) -> bool:
        """What compose asks, in the words of compose.yaml."""
        done = subprocess.run(
            self.here(health_command(service)), cwd=PROJECT_DIR, env=self.environment(service), capture_output=True
        )
        return done.returncode == 0

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ui_port}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            document: dict[str, Any] = json.load(answer)
        assert "errors" not in document, document
        data: dict[str, Any] = document["data"]
        return data

    def launched(self) -> str | None:
        """The id of a sync that was put in the queue; None while the UI does not reach the code server."""
        selector = {
            "repositoryLocationName": "odyssey",
            "repositoryName": "__repository__",
            "jobName": "sync",
            "assetSelection": [{"path": [table]} for table in TABLES],
        }
        try:
            answer = self.ask(LAUNCH, execution={"selector": selector, "runConfigData": {}})["launchRun"]
        except urllib.error.HTTPError as error:
            if error.code != 500:
                raise
            # While the UI takes notice of a new code server.
            return None
        return answer["run"]["runId"] if answer["__typename"] == "LaunchRunSuccess" else None

    def status(self, run_id: str) -> str:
        return str(self.ask(STATUS, run=run_id)["runOrError"]["status"])

    def sync(self) -> None:
        """Launch one through the UI's interface and wait for its end."""
        run_ids: list[str] = []
        wait_until(lambda: run_ids.extend(filter(None, [self.launched()])) or bool(run_ids))
        wait_until(lambda: self.status(run_ids[0]) in ("SUCCESS", "FAILURE", "CANCELED"))
        assert self.status(run_ids[0]) == "SUCCESS"

    def is_in_step(self) -> bool:
        return ask_postgres(self.target_uri, ROWS_SQL) == ask_sqlite(self.source, ROWS_SQL)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ui_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as answer:
            return "dagster_version" in json.load(answer)
    except (urllib.error.URLError, OSError):
        return False


def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture
def deployment(tmp_path: Path, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """A target that was published from another machine, and nothing running yet."""
    with ExitStack() as stack:
        target, storage = (stack.enter_context(fresh_database(server)) for _ in range(2))
        (tmp_path / "secrets").mkdir(mode=0o700)
        for name, uri in (("target_url", target), ("dagster_url", storage)):
            (tmp_path / "secrets" / name).write_text(f"{uri}\n")
        source = write_sample(tmp_path / "odyssey.db").path
        monkeypatch.setenv(ENV_STATE_DIR, str(tmp_path / "another machine"))
        monkeypatch.setenv(ENV_SQLITE, str(source))
        monkeypatch.setenv(ENV_POSTGRES, target)
        assert OdysseyEngine().publish_and_verify("migrate", "first", TABLES, frozenset(), applies_changes=False).ok
        yield Deployment(tmp_path, source, target, *free_ports())


def lines_that_are_no_json(log: str) -> list[str]:
    found = []
    for line in log.splitlines():
        try:
            json.loads(line)
        except json.JSONDecodeError:
            found.append(line)
    return found


@pytest.mark.slow
def test_the_processes_of_production_run_syncs_and_survive_their_code_server(deployment: Deployment) -> None:
    run_sqlite(deployment.source, """UPDATE "Village" SET "name" = 'renamed once'""")
    with ExitStack() as stack:
        code = stack.enter_context(deployment.started("code"))
        wait_until(lambda: listens(deployment.code_port), code)
        webserver, daemon = (stack.enter_context(deployment.started(each)) for each in ("webserver", "daemon"))
        wait_until(lambda: ui_answers(deployment.ui_port), webserver, daemon)
        deployment.sync()
        assert deployment.is_in_step()
        assert deployment.is_healthy("code")
        assert deployment.is_healthy("webserver")
        wait_until(lambda: deployment.is_healthy("daemon"))
        the_other_machine_verifies_by_digest()

        os.killpg(code.pid, signal.SIGKILL)
        code.wait()
        assert not deployment.is_healthy("code")
        run_sqlite(deployment.source, """UPDATE "Village" SET "name" = 'renamed twice'""")
        code = stack.enter_context(deployment.started("code"))
        wait_until(lambda: listens(deployment.code_port), code)
        deployment.sync()
        assert deployment.is_in_step()
    for service in ("code", "webserver", "daemon"):
        log = deployment.log(service).read_text()
        assert log
        assert lines_that_are_no_json(log) == []
    assert not (deployment.folder / "webserver" / "snapshots").exists()


def the_other_machine_verifies_by_digest() -> None:
    """It has not the snapshot that the code server published from, and PostgreSQL is as that left it."""
    outcome = OdysseyEngine().publish_and_verify("verify", "second", frozenset(), TABLES, applies_changes=False)
    assert outcome.ok
    (details,) = ({check.name.value: check.detail for check in table.checks} for table in outcome.tables)
    assert "by PostgreSQL's digest" in details["rows_equal"]
