"""The ``odyssey`` command as its users meet it: options, one document on stdout, a table for people on stderr."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from odyssey_assets import __version__
from odyssey_assets.compare.checks import CheckName
from odyssey_assets.configuration import ENV_POSTGRES, ENV_SQLITE
from odyssey_assets_tests.command_line.conftest import SOME, document, odyssey
from odyssey_assets_tests.oracle import differences, dump, facts_for
from odyssey_assets_tests.plain_source import keep_only
from odyssey_assets_tests.statements import ask_postgres, run_postgres

A_VILLAGE = 'WHERE id = (SELECT min(id) FROM "Village")'


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
    keep_only(source, SOME.split(","))
    result = odyssey("migrate", "--sqlite", source, "--postgres", database_uri, "--tables", SOME, "--json")
    assert result.exit_code == 0, result.output
    found = document(result)
    assert found["ok"] is True
    assert set(found["snapshot"]) == {"id", "sha256", "taken_at", "bytes"}
    assert len(found["snapshot"]["sha256"]) == 64
    assert {table["name"] for table in found["tables"]} == set(SOME.split(","))
    assert set(found["seconds"]) >= {"snapshot", "load", "proof", "commit"}
    for table in found["tables"]:
        assert table["source_rows"] == table["target_rows"] == table["inserted"]
        assert table["updated"] == table["deleted"] == table["quarantined"] == 0
        assert table["status"] == "loaded"
        assert {check["name"] for check in table["checks"]} == set(CheckName)
        assert len(table["checks"]) == len(CheckName)
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
    assert all(row[-2:] == [str(len(CheckName)), "passed"] for row in rows)
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


def test_server_status_of_a_state_folder_without_one(tmp_path: Path) -> None:
    result = odyssey("server", "status")
    assert (result.exit_code, result.stdout) == (0, "not running\n")
    assert odyssey("server", "stop").stdout == "was not running\n"
    assert not (tmp_path / "state").exists()
