"""``odyssey cutover``: its options, asking before it acts, its documents and its exit statuses."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from odyssey_assets.cli import cli
from odyssey_assets.source.fence import can_write, is_sealed
from odyssey_assets_tests.command_line.conftest import assert_refused, document, odyssey, with_login
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.statements import run_sqlite


@pytest.fixture
def pair(source: Path, database_uri: str) -> tuple[str, ...]:
    return ("--sqlite", str(source), "--postgres", database_uri)


def test_nothing_stands_in_for_a_source_that_nobody_named(database_uri: str, tmp_path: Path) -> None:
    assert_refused(odyssey("cutover", "--postgres", database_uri), 2, "No SQLite file was named", "--sqlite")
    assert not (tmp_path / "state").exists()


def test_without_a_terminal_and_without_yes_nothing_is_done(
    pair: tuple[str, ...], source: Path, database_uri: str
) -> None:
    result = odyssey("cutover", *pair)
    assert "Cut over?" in result.stderr
    assert_refused(result, 3, "Nothing was done", "--yes")
    assert dump(database_uri) == {}
    assert can_write(source)


@pytest.mark.parametrize("answer", ["n\n", "\n", "what?\nn\n"])
def test_anything_but_yes_is_no(pair: tuple[str, ...], database_uri: str, answer: str) -> None:
    result = CliRunner().invoke(cli, ["cutover", "--rehearse", *pair], input=answer)
    assert (result.exit_code, "Rehearse?" in result.stderr) == (3, True)
    assert dump(database_uri) == {}


def test_a_rehearsal_and_the_switch(pair: tuple[str, ...], source: Path, database_uri: str) -> None:
    rehearsed = odyssey("cutover", "--rehearse", *pair, "--yes")
    assert rehearsed.exit_code == 0, rehearsed.output
    assert rehearsed.stdout.startswith("Rehearsed; nothing was switched.\nDowntime to plan for: ")
    assert "final sync ...\n" in rehearsed.stderr
    assert not is_sealed(source)

    switched = CliRunner().invoke(cli, ["cutover", *pair, "--json", "--release"], input="y\n")
    assert switched.exit_code == 0, switched.output
    assert "as the last time" in switched.stderr
    assert "final sync ... (about " in switched.stderr
    found = document(switched)
    assert (found["ok"], found["kind"], found["state"]) == (True, "cut-over", "finished")
    assert (found["source_is_sealed"], is_sealed(source)) == (False, False)
    assert found["downtime_seconds"] == pytest.approx(sum(each["seconds"] for each in found["steps"][2:]), abs=0.11)

    for options, sentence in (
        (["--yes"], "PostgreSQL is the truth since cut-over"),
        (["--resume"], "There is no unfinished cut-over"),
        (["--abort"], "There is no unfinished cut-over"),
    ):
        assert_refused(odyssey("cutover", *pair, *options), 3, sentence)


def test_what_cannot_be_carried_is_an_integrity_failure(pair: tuple[str, ...], source: Path) -> None:
    run_sqlite(source, """UPDATE "Feedback" SET "state" = 'nonsense' WHERE rowid = 1""")
    result = odyssey("cutover", *pair, "--yes", "--json")
    assert_refused(result, 1, "This database cannot be carried as it is", "Feedback.state")
    assert document(result)["ok"] is False
    assert can_write(source)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--check-url", "ftp://elsewhere"], "takes an http or https URL"),
        (["--fence-seconds", "0"], "--fence-seconds"),
        (["--smoke-seconds", "soon"], "--smoke-seconds"),
    ],
)
def test_wrong_words_are_wrong_usage(pair: tuple[str, ...], options: list[str], words: str) -> None:
    result = odyssey("cutover", *pair, "--yes", *options)
    assert result.exit_code == 2
    assert words in result.stderr


def test_an_unreachable_server_is_told_without_its_password(source: Path, database_uri: str) -> None:
    uri = with_login(database_uri, "nobody", "s3cret-%-word")
    assert_refused(odyssey("cutover", "--sqlite", source, "--postgres", uri, "--yes"), 4, "nobody")
