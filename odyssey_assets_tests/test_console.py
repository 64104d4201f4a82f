"""What a person reads: every word of every message, whatever characters are in it, and nothing cut off."""

from typing import Any

import pytest

from odyssey_assets.console import Console
from odyssey_assets.progress import Phase, Progress

RUN: dict[str, Any] = {"run_id": "run-1", "ui": None, "hint": "", "problem": None, "ok": True}


def check(name: str, *, passed: bool = True, detail: str = "fine") -> dict[str, Any]:
    return {"name": name, "passed": passed, "severity": "error", "differences": 0, "detail": detail, "listed": []}


def table(name: str, *checks: dict[str, Any], status: str = "loaded", rows: int = 7) -> dict[str, Any]:
    counts = {"source_rows": rows, "target_rows": rows, "inserted": rows, "updated": 0, "deleted": 0, "quarantined": 0}
    return {"name": name, "status": status, "checks": list(checks), **counts}


def shown(capsys: pytest.CaptureFixture[str], document: dict[str, Any], job: str = "migrate") -> str:
    Console().show(document, job)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_good_run_is_a_table_and_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, RUN | {"tables": [table("Vote", check("nulls")), table("User")], "seconds": {"load": 1.25}})
    assert [line.split() for line in text.splitlines()[:2]] == [
        text.splitlines()[0].split(),
        ["Vote", "loaded", "7", "7", "7", *text.splitlines()[1].split()[5:-2], "1", "passed"],
    ]
    assert "14 rows carried and proven, every cell equal, in 1.2 s (load 1.2)." in text
    assert text.endswith("Run run-1: start the UI with ./scripts/dev\n")


def test_verify_says_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert "7 rows verified" in shown(capsys, RUN | {"tables": [table("Vote")], "seconds": {}}, "verify")


def test_the_address_of_the_run_is_shown_where_a_ui_runs(capsys: pytest.CaptureFixture[str]) -> None:
    address = "http://127.0.0.1:3000/runs/run-1"
    assert f"Run run-1: {address}" in shown(capsys, RUN | {"tables": [], "seconds": {}, "ui": address})


def test_an_absent_table_is_said_to_be_absent(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, RUN | {"tables": [table("UserPoints", status="absent", rows=0)], "seconds": {}})
    assert ["UserPoints", "absent"] in [line.split() for line in text.splitlines()]


def test_rows_in_a_table_that_sqlite_lacks_are_said_to_be_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, RUN | {"tables": [table("UserPoints", status="absent", rows=3)], "seconds": {}})
    assert ["UserPoints", "absent", "3"] in [line.split() for line in text.splitlines()]
    assert "SQLite has no table UserPoints; PostgreSQL holds 3 rows there, which were left alone." in text


def test_a_failed_check_is_told_in_full_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    detail = "; ".join(f"column{number}: 1 in the source, 2 in PostgreSQL" for number in range(20))
    failed = table("Vote", check("nulls", passed=False, detail=detail), check("row_count"), status="differs")
    text = shown(capsys, RUN | {"ok": False, "problem": "Integrity checks failed.", "tables": [failed], "seconds": {}})
    assert "1 failed" in text
    assert f"Vote nulls: {detail}\n" in text


def test_brackets_are_text_and_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    problem, hint = "IO: [libpq] failed at [red]x[/].", "See [bold]."
    failed = table("Vote", check("nulls", passed=False, detail="a[/b]"))
    text = shown(capsys, RUN | {"ok": False, "problem": problem, "hint": hint, "tables": [failed], "seconds": {}})
    assert f"{problem} {hint}\n" in text
    assert "Vote nulls: a[/b]\n" in text


def test_a_long_sentence_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    problem = "word " * 100 + "end."
    assert f"{problem} Do this.\n" in shown(
        capsys, RUN | {"ok": False, "problem": problem, "hint": "Do this.", "tables": []}
    )


def test_progress_is_one_plain_line_a_phase_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Console() as console:
        console.on_progress(Progress(Phase.SNAPSHOT))
        console.on_progress(Progress(Phase.LOAD))
        console.on_progress(Progress(Phase.LOAD, "Vote", total_rows=10))
        console.on_progress(Progress(Phase.LOAD, "Vote", rows=10))
        console.on_progress(Progress(Phase.LOAD, "Event", total_rows=100_000))
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line.split(" s  ", 1)[1] for line in captured.err.splitlines()]
    assert lines == ["taking a snapshot", "loading", "loading Event (100,000 rows)"]


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_words(capsys: pytest.CaptureFixture[str], phase: Phase) -> None:
    with Console() as console:
        console.on_progress(Progress(phase))
    assert capsys.readouterr().err.strip()
