"""What the ``odyssey`` command refuses: the exit status, one sentence without a traceback, and nothing changed."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.command_line.conftest import (
    PASSWORD,
    SOME,
    assert_refused,
    document,
    odyssey,
    with_login,
)
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.statements import prisma_sql, run_postgres


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
    result = odyssey("migrate", "--sqlite", path, "--postgres", database_uri, "--json", "--tables", SOME)
    assert_refused(result, status, sentence)
    found = document(result)
    assert (found["ok"], found["exit_status"], found["tables"]) == (False, status, [])
    assert sentence in found["problem"]
    assert (path.read_bytes() if path.is_file() else None) == before
    assert sorted(each.name for each in path.parent.iterdir()) == ([] if kind == "missing" else ["input.db"])
    assert all(rows in ([], [("0",)]) for rows in dump(database_uri).values())


def test_an_unreachable_server_is_status_4(source: Path) -> None:
    closed = with_login("postgresql://127.0.0.1:1/x", "ada", PASSWORD)
    result = odyssey("migrate", "--sqlite", source, "--postgres", closed, "--tables", SOME)
    assert_refused(result, 4, "cannot be reached:", "Connection refused")


def test_a_wrong_password_is_status_4(limited_uri: str, source: Path) -> None:
    user = str(urlsplit(limited_uri).username)
    wrong = with_login(limited_uri, user, PASSWORD + "-wrong")
    result = odyssey("migrate", "--sqlite", source, "--postgres", wrong, "--tables", SOME)
    assert_refused(result, 4, "turned the login away: password authentication failed", "Check user and password.")
    assert "-wrong" not in result.output


def test_a_missing_database_is_status_4(server: EmbeddedServer, source: Path) -> None:
    result = odyssey("migrate", "--sqlite", source, "--postgres", server.uri_of("no_such_database"), "--tables", SOME)
    assert_refused(result, 4, "The database does not exist:", "no_such_database")
    assert server.password not in result.output


def test_a_role_that_may_not_create_is_status_2_and_nothing_is_left(
    database_uri: str, limited_uri: str, source: Path
) -> None:
    result = odyssey("migrate", "--sqlite", source, "--postgres", limited_uri, "--tables", SOME)
    assert_refused(result, 2, "lacks a right:", "let an administrator: GRANT CREATE")
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
        result = odyssey("migrate", "--sqlite", source, "--postgres", database_uri, "--tables", SOME)
    assert_refused(result, 3, "Another Odyssey run is writing to this database.", "nothing was changed.")
    assert dump(database_uri) == {}


@pytest.mark.parametrize("command", ["migrate", "sync", "verify"])
def test_a_missing_source_and_a_bad_url_are_told_before_anything_is_started(
    tmp_path: Path, source: Path, command: str
) -> None:
    missing = odyssey(command, "--sqlite", tmp_path / "nowhere.db")
    assert_refused(missing, 2, "There is no SQLite file at")
    assert_refused(odyssey(command, "--sqlite", source, "--postgres", "mysql://h/x"), 2, "is not a PostgreSQL URL.")
    assert not (tmp_path / "state").exists()


def test_an_unknown_table_is_status_2_before_anything_is_opened(tmp_path: Path) -> None:
    result = odyssey("migrate", "--tables", "Vote,Nope", "--json")
    assert_refused(result, 2, "There is no Odyssey table named Nope.")
    assert document(result)["problem"] == "There is no Odyssey table named Nope."
    assert not (tmp_path / "state").exists()


def test_verify_of_a_target_without_tables_is_status_2(database_uri: str, source: Path) -> None:
    result = odyssey("verify", "--sqlite", source, "--postgres", database_uri, "--tables", SOME)
    assert_refused(result, 2, "has none of Odyssey's tables yet.", "Run odyssey migrate first.")
    assert dump(database_uri) == {}


def test_debug_shows_the_traceback(database_uri: str) -> None:
    result = odyssey("migrate", "--sqlite", "postgres://h/x", "--postgres", database_uri, "--debug")
    assert result.exception is not None
    assert type(result.exception).__name__ == "ConfigurationError"


def test_sample_never_replaces_a_file(source: Path) -> None:
    before = source.read_bytes()
    result = odyssey("sample", source)
    assert_refused(result, 2, "exists already, and a sample never replaces a file.")
    assert source.read_bytes() == before
