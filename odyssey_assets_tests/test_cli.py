"""The ``odyssey`` command as its users meet it: options, one document on stdout, exit statuses, sentences."""

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner, Result

from odyssey_assets import __version__
from odyssey_assets.cli import cli
from odyssey_assets.configuration import ENV_DAGSTER_POSTGRES, ENV_POSTGRES, ENV_SQLITE, ENV_STATE_DIR
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.oracle import differences, dump, facts_for
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres

SOME = "Village,HRISSync"
CHECKS = {"row_count", "nulls", "foreign_keys", "rows_equal", "quarantine", "tampering"}
A_VILLAGE = 'WHERE id = (SELECT min(id) FROM "Village")'
PASSWORD = "s3cret-%-word"


@pytest.fixture(scope="module")
def storage_uri(server: EmbeddedServer) -> Iterator[str]:
    """A database for Dagster's own tables, made once for the module."""
    with fresh_database(server) as uri:
        yield uri


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, storage_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder of the test's own and nothing named; whatever a command sets is taken back."""
    for name in ("DAGSTER_HOME", "ODYSSEY_DAGSTER_STORAGE_URL", ENV_POSTGRES, ENV_SQLITE):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv(ENV_STATE_DIR, str(tmp_path / "state"))
    monkeypatch.setenv(ENV_DAGSTER_POSTGRES, storage_uri)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "odyssey.db", scale=0.1).path


@pytest.fixture
def limited_uri(server: EmbeddedServer, database_uri: str) -> Iterator[str]:
    """The test's database, for a role that may do nothing there but connect."""
    role = f"limited_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server.uri_of("postgres"), autocommit=True) as connection:
        connection.execute(f"""CREATE ROLE "{role}" LOGIN PASSWORD '{PASSWORD}'""")  # type: ignore[call-overload]
        try:
            yield with_login(database_uri, role, PASSWORD)
        finally:
            connection.execute(f'DROP ROLE "{role}"')  # type: ignore[call-overload]


def with_login(uri: str, user: str, password: str) -> str:
    parts = urlsplit(uri)
    quoted = password.replace("%", "%25")
    return parts._replace(netloc=f"{user}:{quoted}@{parts.hostname}:{parts.port}").geturl()


def odyssey(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def document(result: Result) -> dict[str, Any]:
    """Everything on stdout as the one document it must be."""
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def assert_refused(result: Result, status: int, *sentence: str) -> None:
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    assert PASSWORD not in result.output
    assert PASSWORD.replace("%", "%25") not in result.output
    told = [line for line in result.stderr.splitlines() if sentence[0] in line]
    assert len(told) == 1, result.stderr
    assert all(part in told[0] for part in sentence), told
    assert told[0].rstrip().endswith(".")


def test_help_names_every_command_of_the_contract() -> None:
    result = odyssey("--help")
    assert result.exit_code == 0
    assert {"preflight", "migrate", "sync", "verify", "sample", "dev", "server"} <= set(result.stdout.split())


@pytest.mark.parametrize("command", ["migrate", "verify"])
def test_help_of_a_command_names_the_common_options(command: str) -> None:
    result = odyssey(command, "--help")
    assert result.exit_code == 0
    for option in ("--sqlite", "--postgres", "--tables", "--json", "--debug", "--show-values", "--ignore-unknown"):
        assert option in result.stdout


def test_the_version_is_told() -> None:
    assert __version__ in odyssey("--version").stdout


@pytest.mark.parametrize("arguments", [["migrate", "--nope"], ["migrate", "extra"], ["nope"], ["sample"]])
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    result = odyssey(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: " in result.stderr


def test_migrate_prints_one_document_of_the_agreed_shape(database_uri: str, source: Path) -> None:
    result = odyssey("migrate", "--sqlite", source, "--postgres", database_uri, "--json")
    assert result.exit_code == 0, result.output
    found = document(result)
    assert found["ok"] is True
    assert set(found["snapshot"]) == {"id", "sha256", "taken_at", "bytes"}
    assert len(found["snapshot"]["sha256"]) == 64
    assert {table["name"] for table in found["tables"]} == set(facts_for(5)["tables"])
    assert set(found["seconds"]) >= {"snapshot", "load", "proof", "commit"}
    for table in found["tables"]:
        assert table["source_rows"] == table["target_rows"] == table["inserted"]
        assert table["updated"] == table["deleted"] == table["quarantined"] == 0
        assert table["status"] == "loaded"
        assert {check["name"] for check in table["checks"]} == CHECKS
        assert len(table["checks"]) == len(CHECKS)
        for check in table["checks"]:
            assert check["passed"] is True
            assert check["differences"] == 0
            assert check["severity"] in {"error", "warning"}
    assert differences(source, database_uri) == []


def test_without_json_a_person_reads_a_table_on_stderr_and_stdout_is_empty(database_uri: str, source: Path) -> None:
    result = odyssey("migrate", "--sqlite", source, "--postgres", database_uri, "--tables", SOME)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "taking a snapshot" in result.stderr
    rows = [line.split() for line in result.stderr.splitlines() if line.startswith(("Village", "HRISSync"))]
    assert {row[0]: row[1] for row in rows} == {"Village": "loaded", "HRISSync": "loaded"}
    assert all(row[-2:] == [str(len(CHECKS)), "passed"] for row in rows)
    assert "every cell equal" in result.stderr
    assert "start the UI with ./scripts/dev" in result.stderr


def test_tables_limits_a_run(database_uri: str, source: Path) -> None:
    result = odyssey("migrate", "--sqlite", source, "--postgres", database_uri, "--tables", SOME, "--json")
    assert {table["name"] for table in document(result)["tables"]} == set(SOME.split(","))
    assert {table for table, rows in dump(database_uri).items() if rows and "." not in table} == set(SOME.split(","))


def test_databases_can_be_named_by_the_environment_in_prismas_spelling(
    database_uri: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV_SQLITE, f"file:{source}")
    monkeypatch.setenv(ENV_POSTGRES, f"{database_uri}&schema=app&connection_limit=5")
    result = odyssey("migrate", "--tables", SOME, "--json")
    assert result.exit_code == 0, result.output
    assert ask_postgres(database_uri, 'SELECT count(*) > 0 FROM app."Village"') == [(True,)]


def test_without_a_source_a_sample_is_written_once_and_said_so(database_uri: str, tmp_path: Path) -> None:
    first = odyssey("migrate", "--postgres", database_uri, "--tables", SOME, "--json")
    sample = tmp_path / "state" / "sample" / "odyssey.db"
    assert first.exit_code == 0, first.output
    assert f"wrote a sample of 1,790 rows to {sample}" in " ".join(first.stderr.split())
    written = sample.read_bytes()
    again = odyssey("verify", "--postgres", database_uri, "--tables", SOME, "--json")
    assert again.exit_code == 0, again.output
    assert f"using the sample at {sample}" in " ".join(again.stderr.split())
    assert sample.read_bytes() == written


def test_verify_finds_a_planted_difference_and_changes_nothing(database_uri: str, source: Path) -> None:
    assert odyssey("migrate", "--sqlite", source, "--postgres", database_uri, "--tables", SOME).exit_code == 0
    run_postgres(database_uri, f"UPDATE \"Village\" SET name = 'Else[where]' {A_VILLAGE}")
    ((key,),) = ask_postgres(database_uri, 'SELECT min(id) FROM "Village"')
    before = dump(database_uri)
    verify = ["verify", "--sqlite", source, "--postgres", database_uri, "--tables", SOME, "--json"]
    result = odyssey(*verify)
    assert result.exit_code == 1
    found = document(result)
    assert found["ok"] is False
    (village,) = (table for table in found["tables"] if table["name"] == "Village")
    failed = next(check for check in village["checks"] if not check["passed"])
    assert (failed["name"], failed["differences"]) == ("rows_equal", 1)
    assert failed["listed"] == [{"kind": "changed", "key": {"id": key}, "column": "name"}]
    assert "Village rows_equal: 0 missing, 0 extra, 1 changed rows" in result.stderr
    assert '"target": "Else[where]"' in odyssey(*verify, "--show-values").stdout
    assert dump(database_uri) == before


def test_a_target_that_holds_other_rows_is_refused_and_told_what_sync_would_do(database_uri: str, source: Path) -> None:
    assert odyssey("migrate", "--sqlite", source, "--postgres", database_uri, "--tables", SOME).exit_code == 0
    run_postgres(database_uri, 'DELETE FROM "Village" WHERE id = (SELECT min(id) FROM "Village")')
    before = dump(database_uri)
    result = odyssey("migrate", "--sqlite", source, "--postgres", database_uri, "--tables", SOME)
    assert_refused(
        result,
        1,
        "PostgreSQL already holds rows that differ",
        "Village: sync would insert 1, update 0 and delete 0 rows",
        "Run odyssey sync",
    )
    assert dump(database_uri) == before


def make_bad(kind: str, source: Path) -> Path:
    """A source of the kind, in a folder of its own."""
    path = source.parent / "bad" / "input.db"
    path.parent.mkdir()
    whole = source.read_bytes()
    match kind:
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("name,weight\nAda,1\n")
        case "cut in the middle":
            path.write_bytes(whole[: len(whole) // 2])
        case "cut within a page":
            path.write_bytes(whole[:-1000])
        case "someone else's":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT)")
        case "a folder":
            path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "status", "sentence"),
    [
        ("missing", 2, "There is no SQLite file at"),
        ("empty", 2, "is empty."),
        ("text", 2, "is not a SQLite database."),
        ("cut in the middle", 1, "is damaged:"),
        ("cut within a page", 1, "is damaged:"),
        ("someone else's", 2, "has none of Odyssey's tables, so it is not Odyssey's database."),
        ("a folder", 2, "is not a file."),
    ],
)
def test_a_bad_source_is_refused_in_one_sentence(
    database_uri: str, source: Path, kind: str, status: int, sentence: str
) -> None:
    run_postgres(database_uri, prisma_sql(5))
    path = make_bad(kind, source)
    before = path.read_bytes() if path.is_file() else None
    result = odyssey("migrate", "--sqlite", path, "--postgres", database_uri, "--json")
    assert_refused(result, status, sentence)
    found = document(result)
    assert (found["ok"], found["exit_status"], found["tables"]) == (False, status, [])
    assert sentence in found["problem"]
    assert (path.read_bytes() if path.is_file() else None) == before
    assert sorted(each.name for each in path.parent.iterdir()) == ([] if kind == "missing" else ["input.db"])
    assert all(rows in ([], [("0",)]) for rows in dump(database_uri).values())


def test_an_unreachable_server_is_status_4(source: Path) -> None:
    closed = with_login("postgresql://127.0.0.1:1/x", "ada", PASSWORD)
    result = odyssey("migrate", "--sqlite", source, "--postgres", closed)
    assert_refused(result, 4, "cannot be reached:", "Connection refused")


def test_a_wrong_password_is_status_4(limited_uri: str, source: Path) -> None:
    user = str(urlsplit(limited_uri).username)
    wrong = with_login(limited_uri, user, PASSWORD + "-wrong")
    result = odyssey("migrate", "--sqlite", source, "--postgres", wrong)
    assert_refused(result, 4, "turned the login away: password authentication failed", "Check user and password.")
    assert "-wrong" not in result.output


def test_a_missing_database_is_status_4(server: EmbeddedServer, source: Path) -> None:
    result = odyssey("migrate", "--sqlite", source, "--postgres", server.uri_of("no_such_database"))
    assert_refused(result, 4, "The database does not exist:", "no_such_database")
    assert server.password not in result.output


def test_a_role_that_may_not_create_is_status_2_and_nothing_is_left(
    database_uri: str, limited_uri: str, source: Path
) -> None:
    result = odyssey("migrate", "--sqlite", source, "--postgres", limited_uri)
    assert_refused(result, 2, "lacks a right:", "grant it CREATE")
    assert dump(database_uri) == {}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (f"mysql://ada:{PASSWORD}@h/odyssey", "The target is not a PostgreSQL URL."),
        ("postgresql://ada:pw@h/odyssey?colour=red", "unknown parameter 'colour'"),
    ],
)
def test_a_target_that_is_no_postgres_url_is_status_2(source: Path, url: str, sentence: str) -> None:
    assert_refused(odyssey("migrate", "--sqlite", source, "--postgres", url), 2, sentence)


def test_a_source_that_is_another_url_is_status_2(database_uri: str) -> None:
    result = odyssey("migrate", "--sqlite", "postgres://ada:pw@h/x", "--postgres", database_uri)
    assert_refused(result, 2, "The source must be a SQLite file")
    assert "pw@h" not in result.output


def test_a_second_run_at_the_same_time_is_status_3(database_uri: str, source: Path) -> None:
    with psycopg.connect(database_uri) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('odyssey_sync.' || 'public', 0))")
        result = odyssey("migrate", "--sqlite", source, "--postgres", database_uri)
    assert_refused(result, 3, "Another Odyssey run is writing to this database.", "nothing was changed.")
    assert dump(database_uri) == {}


def test_an_unknown_table_is_status_2_before_anything_is_opened(tmp_path: Path) -> None:
    result = odyssey("migrate", "--tables", "Vote,Nope", "--json")
    assert_refused(result, 2, "There is no Odyssey table named Nope.")
    assert document(result)["problem"] == "There is no Odyssey table named Nope."
    assert not (tmp_path / "state").exists()


def test_verify_of_a_target_without_tables_is_status_2(database_uri: str, source: Path) -> None:
    result = odyssey("verify", "--sqlite", source, "--postgres", database_uri)
    assert_refused(result, 2, "has none of Odyssey's tables yet.", "Run odyssey migrate first.")
    assert dump(database_uri) == {}


def test_debug_shows_the_traceback(database_uri: str) -> None:
    result = odyssey("migrate", "--sqlite", "postgres://h/x", "--postgres", database_uri, "--debug")
    assert result.exception is not None
    assert type(result.exception).__name__ == "ConfigurationError"


def test_sample_writes_a_file_and_says_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sample.db"
    result = odyssey("sample", path, "--scale", "0.1", "--schema", "v1", "--dates", "iso", "--json")
    assert result.exit_code == 0, result.output
    found = document(result)
    assert found["path"] == str(path)
    assert found["bytes"] == path.stat().st_size
    assert found["rows"] == sum(found["tables"].values())
    with closing(sqlite3.connect(path)) as connection:
        for table, rows in found["tables"].items():
            assert connection.execute(f'SELECT count(*) FROM "{table}"').fetchone() == (rows,)
        assert connection.execute("SELECT DISTINCT typeof(createdAt) FROM User").fetchall() == [("text",)]
    assert set(found["tables"]) == set(facts_for(1)["tables"])


def test_sample_in_words(tmp_path: Path) -> None:
    result = odyssey("sample", tmp_path / "sample.db")
    assert result.exit_code == 0
    assert f"{tmp_path / 'sample.db'}: 1,790 rows in 37 tables" in result.stdout


@pytest.mark.parametrize("arguments", [["--scale", "0"], ["--scale", "nan"], ["--seed", "-1"], ["--schema", "v6"]])
def test_sample_refuses_senseless_arguments(tmp_path: Path, arguments: list[str]) -> None:
    result = odyssey("sample", tmp_path / "sample.db", *arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert not (tmp_path / "sample.db").exists()


def test_sample_never_replaces_a_file(source: Path) -> None:
    before = source.read_bytes()
    result = odyssey("sample", source)
    assert_refused(result, 2, "exists already, and a sample never replaces a file.")
    assert source.read_bytes() == before


def test_server_status_of_a_state_folder_without_one(tmp_path: Path) -> None:
    result = odyssey("server", "status")
    assert (result.exit_code, result.stdout) == (0, "not running\n")
    assert odyssey("server", "stop").stdout == "was not running\n"
    assert not (tmp_path / "state").exists()
