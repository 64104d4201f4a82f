"""``odyssey rollback``: asking before it acts, its documents and its exit statuses."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from odyssey_assets.sample.writer import write_sample
from odyssey_assets.source.fence import can_write, is_sealed
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.command_line.conftest import assert_refused, document, odyssey
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.statements import ask_postgres, run_postgres

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
def uri(server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(server) as made:
        yield made


@pytest.fixture
def pair(tmp_path: Path, uri: str) -> tuple[str, ...]:
    """After the switch."""
    source = write_sample(tmp_path / "odyssey.db", scale=0.05).path
    options = ("--sqlite", str(source), "--postgres", uri)
    done = odyssey("cutover", *options, "--yes")
    assert done.exit_code == 0, done.output
    return options


def test_there_and_back_and_begin_anew(pair: tuple[str, ...], uri: str) -> None:
    source = Path(pair[1])
    asked = odyssey("rollback", *pair)
    assert "Roll back?" in asked.stderr
    assert_refused(asked, 3, "Nothing was done", "--yes")
    assert is_sealed(source)

    done = odyssey("rollback", *pair, "--yes", "--json")
    assert done.exit_code == 0, done.output
    found = document(done)
    assert (found["ok"], found["state"], found["carried_back"], found["reset"]) == (True, "rolled back", None, None)
    assert f'DATABASE_URL="file:{source}"' in found["back_to_sqlite"]
    assert can_write(source)
    assert_refused(odyssey("rollback", *pair, "--yes"), 3, "There is nothing to roll back")
    assert_refused(odyssey("rollback", *pair, "--yes", "--carry-back"), 3, "There is nothing to roll back")

    # SQLite is the truth already: what is left to do is done alone.
    asked = odyssey("rollback", *pair, "--reset-target")
    assert "is the truth already and stays as it is" in asked.stderr
    assert_refused(asked, 3, "Nothing was done")
    with psycopg.connect(uri, application_name="odyssey-web"):
        assert_refused(odyssey("rollback", *pair, "--reset-target", "--yes"), 3, "Others are connected", "odyssey-web")
    assert ask_postgres(uri, TABLES) == [(37,)]
    reset = odyssey("rollback", *pair, "--reset-target", "--yes")
    assert reset.exit_code == 0, reset.output
    assert "PostgreSQL was emptied: 37 tables dropped." in reset.stdout
    assert ask_postgres(uri, TABLES) == [(0,)]


def test_with_writes_and_a_reset_in_one_go(pair: tuple[str, ...], uri: str) -> None:
    source = Path(pair[1])
    run_postgres(uri, 'UPDATE "Badge" SET "name" = \'renamed\'')
    assert_refused(odyssey("rollback", *pair, "--yes"), 3, "has written to PostgreSQL", "--carry-back")
    done = odyssey("rollback", *pair, "--carry-back", "--yes")
    assert done.exit_code == 0, done.output
    assert "every cell compared" in done.stdout
    assert "The old file is kept at " in done.stdout
    assert differences(source, uri) == []
    reset = odyssey("rollback", *pair, "--reset-target", "--yes", "--json")
    assert document(reset)["reset"] == {"tables": document(reset)["reset"]["tables"], "dropped": True}
    assert ask_postgres(uri, TABLES) == [(0,)]


def test_without_a_cutover_there_is_no_way_back(source: Path, database_uri: str) -> None:
    options = ("--sqlite", str(source), "--postgres", database_uri, "--yes")
    assert_refused(odyssey("rollback", *options), 3, "There is nothing to roll back")
    assert_refused(odyssey("rollback", *options, "--reset-target"), 3, "There is nothing to roll back")
    assert_refused(odyssey("rollback", "--yes"), 2, "No SQLite file was named")
