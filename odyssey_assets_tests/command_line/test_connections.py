"""Where the command takes its database and its password from, and how many connections it opens."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from odyssey_assets.configuration import ENV_POSTGRES, FILE_SUFFIX
from odyssey_assets_tests.command_line.conftest import PASSWORD, SOME, assert_refused, document, odyssey, with_login
from odyssey_assets_tests.sessions import watched_sessions
from odyssey_assets_tests.statements import run_sqlite

WRONG = "wr0ng-pass-word"
MOST_AT_WORK = 1
MOST_AT_ONCE = 2
"""The driver's first session of each connection may still be ending when the second is there."""


@pytest.fixture
def _nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PGPASSWORD", "PGPASSFILE", ENV_POSTGRES + FILE_SUFFIX):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def name_by(way: str, uri: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Name the target this way, and return what is to be typed."""
    if way == "file":
        (folder / "url").write_text(f"{uri}\n")
        monkeypatch.setenv(ENV_POSTGRES + FILE_SUFFIX, str(folder / "url"))
    elif way == "environment":
        monkeypatch.setenv(ENV_POSTGRES, uri)
    else:
        return ["--postgres", uri]
    return []


@pytest.mark.usefixtures("_nothing_named")
@pytest.mark.parametrize(
    ("nearer", "farther"), [("option", "environment"), ("environment", "file"), ("option", "file")]
)
def test_the_nearer_way_to_name_a_database_wins(
    database_uri: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nearer: str, farther: str
) -> None:
    name_by(farther, "postgresql://nobody@127.0.0.1:1/elsewhere", tmp_path, monkeypatch)
    typed = name_by(nearer, database_uri, tmp_path, monkeypatch)
    result = odyssey("preflight", "--sqlite", source, "--json", *typed)
    assert result.exit_code == 0, result.output
    assert document(result)["target"]["database"] == urlsplit(database_uri).path[1:]


@pytest.mark.usefixtures("_nothing_named")
def test_a_file_alone_is_enough(
    database_uri: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert name_by("file", database_uri, tmp_path, monkeypatch) == []
    result = odyssey("migrate", "--sqlite", source, "--tables", "Village", "--json")
    assert result.exit_code == 0, result.output
    assert document(result)["ok"] is True
    assert str(urlsplit(database_uri).password) not in result.output


@pytest.mark.usefixtures("_nothing_named")
@pytest.mark.parametrize(
    ("in_url", "in_environment", "in_file", "is_let_in"),
    [
        (PASSWORD, WRONG, WRONG, True),
        (None, PASSWORD, WRONG, True),
        (None, None, PASSWORD, True),
        (WRONG, PASSWORD, PASSWORD, False),
        (None, WRONG, PASSWORD, False),
        (None, None, None, False),
    ],
)
def test_the_password_is_the_urls_else_the_environments_else_the_files(
    limited_uri: str,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_url: str | None,
    in_environment: str | None,
    in_file: str | None,
    is_let_in: bool,
) -> None:
    parts = urlsplit(limited_uri)
    role = str(parts.username)
    if in_environment:
        monkeypatch.setenv("PGPASSWORD", in_environment)
    if in_file:
        # The one place libpq looks by itself; it takes no file that others may read.
        (tmp_path / "pass").write_text(f"{parts.hostname}:{parts.port}:*:{role}:{in_file}\n")
        (tmp_path / "pass").chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pass"))
    uri = parts._replace(netloc=f"{role}@{parts.hostname}:{parts.port}").geturl()
    uri = with_login(uri, role, in_url) if in_url else uri
    result = odyssey("preflight", "--sqlite", source, "--postgres", uri, "--json")
    assert PASSWORD not in result.output
    assert WRONG not in result.output
    if is_let_in:
        assert document(result)["target"]["role"] == role
    else:
        assert_refused(result, 4, "turned the login away:")


def test_a_run_works_over_one_connection_whatever_it_does(database_uri: str, source: Path) -> None:
    given = ["--sqlite", source, "--postgres", database_uri, "--tables", SOME]
    with watched_sessions(database_uri) as sampler:
        for number, command in enumerate(("migrate", "sync", "verify")):
            assert odyssey(command, *given).exit_code == 0
            run_sqlite(source, f"UPDATE Village SET name = name || {number}")
    assert sampler.looks > 0
    assert sampler.most_at_work == MOST_AT_WORK
    assert sampler.most <= MOST_AT_ONCE
