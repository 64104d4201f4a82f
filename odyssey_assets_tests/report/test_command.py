"""``odyssey report``: the newest first, one by the beginning of its id, and a plain sentence otherwise."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from odyssey_assets.cli import cli
from odyssey_assets.configuration import ENV_STATE_DIR
from odyssey_assets.errors import RefusedError
from odyssey_assets.report.document import run_document
from odyssey_assets.report.store import page_path, write_report
from odyssey_assets_tests.report.outcomes import facts, outcome, table


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three reports, the first of them without a page."""
    monkeypatch.setenv(ENV_STATE_DIR, str(tmp_path))
    reports = tmp_path / "reports"
    for age, (run_id, job, verdict, page) in enumerate(
        [
            ("aa11", "migrate", outcome(table("Vote"), table("User")), None),
            ("aa22", "sync", RefusedError("Another run."), "page"),
            ("bb33", "verify", outcome(table("Vote"), problem="It differs."), "page"),
        ]
    ):
        path = write_report(reports, run_id, run_document(facts(job), verdict), page)
        os.utime(path, (age, age))
    return reports


def report(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["report", *arguments])


def test_the_newest_come_first(folder: Path) -> None:
    result = report()
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["WHEN", "JOB", "VERDICT", "ROWS", "RUN", "PAGE"],
        ["2026-12-31", "23:59:57", "UTC", "verify", "not", "equal", "7", "bb33", str(page_path(folder, "bb33"))],
        ["2026-12-31", "23:59:57", "UTC", "sync", "refused", "0", "aa22", str(page_path(folder, "aa22"))],
        ["2026-12-31", "23:59:57", "UTC", "migrate", "equal", "14", "aa11", str(folder / "aa11.json")],
    ]
    assert len(report("--limit", "1").stdout.splitlines()) == 2


def test_the_list_as_a_document(folder: Path) -> None:
    found = json.loads(report("--json", "--limit", "2").stdout)
    assert [each["run_id"] for each in found] == ["bb33", "aa22"]
    assert found[1] == {
        "run_id": "aa22",
        "job": "sync",
        "started_at": "2026-12-31T23:59:57.000+00:00",
        "ok": False,
        "exit_status": 3,
        "verdict": "refused",
        "rows": 0,
        "page": str(page_path(folder, "aa22")),
        "document": str(folder / "aa22.json"),
    }


def test_the_beginning_of_a_run_is_enough(folder: Path) -> None:
    assert report("b").stdout == f"{page_path(folder, 'bb33')}\n"
    assert report("aa22").stdout == f"{page_path(folder, 'aa22')}\n"
    assert report("aa11").stdout == f"{folder / 'aa11.json'}\n"
    assert json.loads(report("bb", "--json").stdout)["run_id"] == "bb33"


def test_a_whole_id_is_meant_even_where_another_begins_with_it(folder: Path) -> None:
    write_report(folder, "bb3", {}, "page")
    assert report("bb3").stdout == f"{page_path(folder, 'bb3')}\n"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        ("cc", "odyssey: No report of a run cc is kept. odyssey report lists those there are."),
        ("aa", "odyssey: 2 runs begin with aa: aa22, aa11. Give more of the run's id."),
    ],
)
def test_a_run_that_is_not_meant_clearly_is_wrong_usage(prefix: str, sentence: str) -> None:
    result = report(prefix)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{sentence}\n")


def test_no_report_yet_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_STATE_DIR, str(tmp_path))
    result = report()
    assert (result.exit_code, result.stdout) == (0, f"No run has left a report in {tmp_path / 'reports'} yet.\n")
    assert json.loads(report("--json").stdout) == []
