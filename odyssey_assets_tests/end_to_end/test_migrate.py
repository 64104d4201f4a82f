"""`odyssey migrate`: real sources arrive whole, in a server of its own or one made ready by Prisma, killed or not."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES
from odyssey_assets.sample.dates import DateForm
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.run import run as run_engine
from odyssey_assets.target.embedded import EmbeddedServer, status
from odyssey_assets_tests.command_line.conftest import document, name_nothing, odyssey
from odyssey_assets_tests.conftest import fresh_database, state_folder
from odyssey_assets_tests.end_to_end.commands import ODYSSEY, run, surroundings
from odyssey_assets_tests.oracle import catalog, differences, dump, facts_for
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for
from odyssey_assets_tests.waiting import wait_until_alone

MEBIBYTE = 1024 * 1024
SOME = ("--tables", "Village,HRISSync")
KINDS = {"v5": (5, DateForm.INTEGER), "v5 iso": (5, DateForm.ISO), "v1": (1, DateForm.INTEGER)}


@pytest.fixture(scope="module")
def storage_uri(server: EmbeddedServer) -> Iterator[str]:
    """A database for Dagster's own tables, made once for the module."""
    with fresh_database(server) as uri:
        yield uri


def rows_of_odyssey(uri: str) -> dict[str, list[tuple[str | None, ...]]]:
    """Every row of the application's tables; the project's own bookkeeping grows with every run."""
    return {table: rows for table, rows in dump(uri).items() if "." not in table}


def sample(folder: Path, kind: str, scale: float = 1.0) -> Path:
    version, dates = KINDS[kind]
    return write_sample(folder / f"{kind}.db", version=version, dates=dates, scale=scale).path


def test_with_nothing_but_a_state_folder_it_carries_a_sample_and_running_again_changes_nothing(tmp_path: Path) -> None:
    with state_folder() as folder:
        ended = run([ODYSSEY, "migrate", "--json"], surroundings(folder), tmp_path)
        assert ended.status == 0, ended.stderr
        assert "Traceback" not in ended.stderr
        assert {table["name"] for table in ended.document["tables"]} == set(facts_for(5)["tables"])
        server = status(folder)
        assert server is not None
        uri = server.uri_of("odyssey")
        assert differences(folder / "sample" / "odyssey.db", uri) == []
        assert server.password not in ended.stdout + ended.stderr

        before = rows_of_odyssey(uri)
        again = run([ODYSSEY, "migrate", *SOME, "--json"], surroundings(folder), tmp_path)
        assert again.status == 0, again.stderr
        assert {table["status"] for table in again.document["tables"]} == {"unchanged"}
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        verify = [sys.executable, "-m", "odyssey_assets", "verify", *SOME, "--json"]
        verified = run(verify, surroundings(folder), elsewhere)
        assert verified.status == 0, verified.stderr
        assert {table["status"] for table in verified.document["tables"]} == {"verified"}
        assert rows_of_odyssey(uri) == before


@pytest.mark.parametrize("is_made", [False, True], ids=["nothing there", "made by Prisma"])
@pytest.mark.parametrize("kind", ["v5 iso", "v1"])
def test_a_source_arrives_whole(database_uri: str, tmp_path: Path, kind: str, is_made: bool) -> None:
    version = KINDS[kind][0]
    if is_made:
        run_postgres(database_uri, prisma_sql(version))
    source = sample(tmp_path, kind)
    before = source.read_bytes()
    assert run_engine(request_for(tmp_path, source, database_uri)).ok
    assert differences(source, database_uri) == []
    assert catalog(database_uri) == facts_for(version)
    assert source.read_bytes() == before


def test_an_early_source_that_lacks_a_required_column_of_the_newest_schema_is_refused(
    storage_uri: str, database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_nothing(monkeypatch, tmp_path / "state", storage_uri)
    run_postgres(database_uri, prisma_sql(5))
    ended = odyssey("migrate", "--sqlite", sample(tmp_path, "v1"), "--postgres", database_uri, "--json")
    assert ended.exit_code == 1
    assert "Panel.createdById: PostgreSQL requires a value, and the source has no such column." in ended.stderr
    assert [(each["kind"], each["column"]) for each in document(ended)["findings"] if each["table"] == "Panel"]
    assert rows_of_odyssey(database_uri) == {table: [] for table in facts_for(5)["tables"]}


def kill_when(command: list[str], environment: dict[str, str], cwd: Path, words: str) -> None:
    """Start the command and kill -9 it as soon as it says the words."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, cwd=cwd, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if words in line:
                break
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL, "".join(said)


def test_a_killed_run_did_everything_or_nothing_and_the_next_one_works(
    storage_uri: str, database_uri: str, tmp_path: Path
) -> None:
    """Of a kill at any other moment, and of Ctrl-C: ``sync/test_interruption.py`` and ``test_signals.py``."""
    run_postgres(database_uri, prisma_sql(5))
    source = sample(tmp_path, "v5", scale=30)
    command = [ODYSSEY, "migrate", "--sqlite", str(source), "--postgres", database_uri]
    environment = surroundings(tmp_path / "state", {ENV_DAGSTER_POSTGRES: storage_uri})
    untouched, indexes = dump(database_uri), catalog(database_uri)
    for words in ("loading", "committing"):
        kill_when(command, environment, tmp_path, words)
        wait_until_alone(database_uri)
        is_whole = words == "committing" and differences(source, database_uri) == []
        assert is_whole or dump(database_uri) == untouched, words
        assert catalog(database_uri) == indexes, words
    ended = run([*command, "--json"], environment, tmp_path)
    assert ended.status == 0, ended.stderr
    assert ended.peak_bytes < 600 * MEBIBYTE
    assert differences(source, database_uri) == []
    assert catalog(database_uri) == indexes
    assert list((tmp_path / "state" / "snapshots").glob(".partial-*")) == []
    unfinished = ask_postgres(storage_uri, "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE')")
    assert unfinished == [(0,)]
