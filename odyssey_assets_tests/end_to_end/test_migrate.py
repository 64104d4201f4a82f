"""`odyssey migrate` as a process: real sources arrive whole, in a server of its own or one made ready by Prisma."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from odyssey_assets.sample.dates import DateForm
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.target.embedded import ensure_running, status
from odyssey_assets_tests.conftest import FAST_SETTINGS, state_folder
from odyssey_assets_tests.end_to_end.commands import ODYSSEY, run, surroundings
from odyssey_assets_tests.oracle import catalog, differences, dump, facts_for
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres

MEBIBYTE = 1024 * 1024
KINDS = {"v5": (5, DateForm.INTEGER), "v5 iso": (5, DateForm.ISO), "v1": (1, DateForm.INTEGER)}


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """One state folder, and so one embedded server and one Dagster storage, for the module."""
    with state_folder() as folder:
        yield folder


@pytest.fixture
def embedded_uri(state: Path) -> str:
    """The embedded server's own database for the application, empty."""
    server = ensure_running(state, FAST_SETTINGS)
    with closing(psycopg2.connect(server.uri_of("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS odyssey WITH (FORCE)")
            cursor.execute("CREATE DATABASE odyssey TEMPLATE template0")
    return server.uri_of("odyssey")


def rows_of_odyssey(uri: str) -> dict[str, list[tuple[str | None, ...]]]:
    """Every row of the application's tables; the project's own bookkeeping grows with every run."""
    return {table: rows for table, rows in dump(uri).items() if "." not in table}


def sample(folder: Path, kind: str, scale: float = 1.0) -> Path:
    version, dates = KINDS[kind]
    return write_sample(folder / f"{kind}.db", version=version, dates=dates, scale=scale).path


def test_with_nothing_but_a_state_folder_it_starts_a_server_and_carries_a_sample(tmp_path: Path) -> None:
    with state_folder() as folder:
        ended = run([ODYSSEY, "migrate", "--json"], surroundings(folder), tmp_path)
        assert ended.status == 0, ended.stderr
        server = status(folder)
        assert server is not None
        assert differences(folder / "sample" / "odyssey.db", server.uri_of("odyssey")) == []
        assert server.password not in ended.stdout + ended.stderr


@pytest.mark.parametrize("kind", ["v5 iso", "v1"])
def test_a_source_arrives_whole_in_the_embedded_server(
    state: Path, embedded_uri: str, tmp_path: Path, kind: str
) -> None:
    source = sample(tmp_path, kind)
    before = source.read_bytes()
    ended = run([ODYSSEY, "migrate", "--sqlite", str(source), "--json"], surroundings(state), tmp_path)
    assert ended.status == 0, ended.stderr
    assert differences(source, embedded_uri) == []
    assert catalog(embedded_uri) == facts_for(KINDS[kind][0])
    assert source.read_bytes() == before
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("kind", ["v5 iso", "v1"])
def test_a_source_arrives_whole_in_a_schema_prisma_made(
    state: Path, database_uri: str, tmp_path: Path, kind: str
) -> None:
    version = KINDS[kind][0]
    run_postgres(database_uri, prisma_sql(version))
    source = sample(tmp_path, kind)
    named = {"POSTGRES_URL": f"{database_uri}&schema=public", "ODYSSEY_SQLITE_PATH": f"file:{source}"}
    ended = run([ODYSSEY, "migrate", "--json"], surroundings(state, named), tmp_path)
    assert ended.status == 0, ended.stderr
    assert differences(source, database_uri) == []
    assert catalog(database_uri) == facts_for(version)


def test_an_early_source_that_lacks_a_required_column_of_the_newest_schema_is_refused(
    state: Path, database_uri: str, tmp_path: Path
) -> None:
    run_postgres(database_uri, prisma_sql(5))
    source = sample(tmp_path, "v1")
    command = [ODYSSEY, "migrate", "--sqlite", str(source), "--postgres", database_uri, "--json"]
    ended = run(command, surroundings(state), tmp_path)
    assert ended.status == 1
    assert "Panel.createdById: PostgreSQL requires a value, and the source has no such column." in ended.stderr
    assert [(each["kind"], each["column"]) for each in ended.document["findings"] if each["table"] == "Panel"]
    assert rows_of_odyssey(database_uri) == {table: [] for table in facts_for(5)["tables"]}


def test_running_again_changes_nothing_and_verify_agrees(state: Path, embedded_uri: str, tmp_path: Path) -> None:
    source = ["--sqlite", str(sample(tmp_path, "v5")), "--json"]
    assert run([ODYSSEY, "migrate", *source], surroundings(state), tmp_path).status == 0
    before = rows_of_odyssey(embedded_uri)
    again = run([ODYSSEY, "migrate", *source], surroundings(state), tmp_path)
    assert again.status == 0, again.stderr
    assert {table["status"] for table in again.document["tables"]} == {"unchanged"}
    assert differences(Path(source[1]), embedded_uri) == []
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    verified = run([sys.executable, "-m", "odyssey_assets", "verify", *source], surroundings(state), elsewhere)
    assert verified.status == 0, verified.stderr
    assert {table["status"] for table in verified.document["tables"]} == {"verified"}
    assert rows_of_odyssey(embedded_uri) == before


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


def wait_until_alone(uri: str) -> None:
    """A server notices a lost client at its next word, so a killed run may linger for a moment."""
    run_postgres(
        uri,
        """DO $$ BEGIN
        FOR i IN 1..600 LOOP
            PERFORM pg_stat_clear_snapshot();
            EXIT WHEN NOT EXISTS (SELECT 1 FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend');
            PERFORM pg_sleep(0.1);
        END LOOP; END $$""",
    )


def test_a_killed_run_leaves_the_target_as_it_was_and_the_next_one_works(
    state: Path, database_uri: str, tmp_path: Path
) -> None:
    run_postgres(database_uri, prisma_sql(5))
    source = sample(tmp_path, "v5", scale=30)
    command = [ODYSSEY, "migrate", "--sqlite", str(source), "--postgres", database_uri]
    untouched, indexes = dump(database_uri), catalog(database_uri)
    for words in ("taking a snapshot", "surveying", "loading", "proving"):
        kill_when(command, surroundings(state), tmp_path, words)
        wait_until_alone(database_uri)
        assert dump(database_uri) == untouched, words
        assert catalog(database_uri) == indexes, words
    ended = run([*command, "--json"], surroundings(state), tmp_path)
    assert ended.status == 0, ended.stderr
    assert ended.peak_bytes < 600 * MEBIBYTE
    assert differences(source, database_uri) == []
    assert catalog(database_uri) == indexes
    assert list((state / "snapshots").glob(".partial-*")) == []
    unfinished = ask_postgres(
        ensure_running(state).uri_of("dagster"), "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE')"
    )
    assert unfinished == [(0,)]


def test_a_run_killed_at_its_commit_did_everything_or_nothing(state: Path, database_uri: str, tmp_path: Path) -> None:
    run_postgres(database_uri, prisma_sql(5))
    source = sample(tmp_path, "v5")
    untouched = dump(database_uri)
    kill_when(
        [ODYSSEY, "migrate", "--sqlite", str(source), "--postgres", database_uri],
        surroundings(state),
        tmp_path,
        "committing",
    )
    wait_until_alone(database_uri)
    assert dump(database_uri) == untouched or differences(source, database_uri) == []


def test_a_run_broken_off_by_the_keyboard_leaves_the_target_as_it_was(
    state: Path, database_uri: str, tmp_path: Path
) -> None:
    source = sample(tmp_path, "v5", scale=30)
    command = [ODYSSEY, "migrate", "--sqlite", str(source), "--postgres", database_uri]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=surroundings(state), cwd=tmp_path, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "loading" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(60) != 0
    assert "Traceback" not in rest
    wait_until_alone(database_uri)
    assert dump(database_uri) == {}
