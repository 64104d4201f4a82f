"""Settings come from the environment that is given, once, and paths from every form people write."""

import traceback
from pathlib import Path

import pytest

from odyssey_assets.configuration import PROJECT_DIR, settings_from_environment, sqlite_path_from
from odyssey_assets.errors import EXIT_USAGE, ConfigurationError


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_variables_the_defaults_hold(value: str | None) -> None:
    names = ("ODYSSEY_STATE_DIR", "ODYSSEY_SQLITE_PATH", "POSTGRES_URL", "ODYSSEY_DAGSTER_POSTGRES_URL")
    settings = settings_from_environment({} if value is None else dict.fromkeys(names, value))
    assert settings.state_dir == PROJECT_DIR / ".odyssey"
    assert (settings.sqlite_path, settings.postgres_url, settings.dagster_postgres_url) == (None, None, None)


def test_everything_can_be_set(tmp_path: Path) -> None:
    settings = settings_from_environment(
        {
            "ODYSSEY_STATE_DIR": str(tmp_path / "here" / ".." / "state"),
            "ODYSSEY_SQLITE_PATH": f" file:{tmp_path}/dev.db?connection_limit=1 ",
            "POSTGRES_URL": " postgresql://u@h/d ",
            "ODYSSEY_DAGSTER_POSTGRES_URL": "postgresql://u@h/dagster\n",
        }
    )
    assert settings.state_dir == tmp_path / "state"
    assert settings.sqlite_path == tmp_path / "dev.db"
    assert settings.postgres_url == "postgresql://u@h/d"
    assert settings.dagster_postgres_url == "postgresql://u@h/dagster"


def test_folders_stand_under_the_state_folder(tmp_path: Path) -> None:
    settings = settings_from_environment({"ODYSSEY_STATE_DIR": str(tmp_path)})
    assert settings.dagster_home == tmp_path / "dagster"
    assert settings.snapshot_dir == tmp_path / "snapshots"
    assert settings.scratch_dir == tmp_path / "scratch"
    assert settings.sample_path == tmp_path / "sample" / "odyssey.db"


def test_a_relative_state_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_from_environment({"ODYSSEY_STATE_DIR": "state"}).state_dir == tmp_path.resolve() / "state"


@pytest.mark.parametrize(
    ("text", "relative"),
    [
        ("dev.db", "dev.db"),
        ("./prisma/dev.db", "prisma/dev.db"),
        ("file:dev.db", "dev.db"),
        ("file:./dev.db", "dev.db"),
        ("file:./dev.db?connection_limit=1&socket_timeout=5", "dev.db"),
        ("what?.db", "what?.db"),
        ("a:b.db", "a:b.db"),
    ],
)
def test_relative_paths_start_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, relative: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert sqlite_path_from(text) == Path.cwd() / relative


@pytest.mark.parametrize("text", ["/data/dev.db", "file:/data/dev.db", "file:///data/dev.db"])
def test_absolute_paths_stay(text: str) -> None:
    assert sqlite_path_from(text) == Path("/data/dev.db")


def test_the_home_folder_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sqlite_path_from("~/dev.db") == tmp_path / "dev.db"


def test_the_home_folder_of_nobody_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"home folder in ~no-such-user/dev\.db is unknown"):
        sqlite_path_from("~no-such-user/dev.db")


@pytest.mark.parametrize("url", ["postgresql://u:secret@h/d", "mysql://u:secret@h/d", "libsql://secret.turso.io"])
def test_another_database_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a SQLite file") as refusal:
        sqlite_path_from(url)
    assert refusal.value.exit_status == EXIT_USAGE
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("text", ["postgresql://u@h/d", "postgresql://u@h/d\n", "  postgresql://u@h/d\r\n\n"])
def test_a_url_can_stand_in_a_file_that_others_may_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "url"
    file.write_bytes(text.encode())
    file.chmod(0o644)
    settings = settings_from_environment(
        {"POSTGRES_URL_FILE": str(file), "ODYSSEY_DAGSTER_POSTGRES_URL_FILE": f" {file} ", "POSTGRES_URL": " "}
    )
    assert (settings.postgres_url, settings.dagster_postgres_url) == ("postgresql://u@h/d", "postgresql://u@h/d")


def test_a_url_in_the_environment_comes_before_one_in_a_file(tmp_path: Path) -> None:
    given = {"POSTGRES_URL": "postgresql://u@h/mine", "POSTGRES_URL_FILE": str(tmp_path / "missing")}
    assert settings_from_environment(given).postgres_url == "postgresql://u@h/mine"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"", "must hold one line"),
        (b"postgresql://u:s3cret@h/d\npostgresql://u:s3cret@h/e\n", "must hold one line"),
        (b"\xff\xfes3cret", "cannot be read: it is no text."),
    ],
)
def test_a_file_without_a_url_is_refused_without_telling_what_is_in_it(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="that POSTGRES_URL_FILE names") as refusal:
        settings_from_environment({"POSTGRES_URL_FILE": str(file)})
    assert said in refusal.value.message
    assert "s3cret" not in "".join(traceback.format_exception(refusal.value))
