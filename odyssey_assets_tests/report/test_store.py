"""Reports of runs: document and page, whole or not there, this user's alone, and not for ever."""

import os
from pathlib import Path

import pytest

from odyssey_assets.report import store
from odyssey_assets.report.store import page_path, read_report, report_path, run_ids, write_report


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    document: dict[str, object] = {"ok": True, "tables": [{"name": "Vöte"}], "problem": None}
    path = write_report(tmp_path / "reports", "run-1", document)
    assert path == report_path(tmp_path / "reports", "run-1")
    assert read_report(tmp_path / "reports", "run-1") == document


def test_a_run_without_a_report_has_none(tmp_path: Path) -> None:
    assert read_report(tmp_path / "reports", "run-1") is None


def test_reports_are_this_users_alone(tmp_path: Path) -> None:
    path = write_report(tmp_path / "reports", "run-1", {})
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_report_replaces_the_one_before_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_report(tmp_path, "run-1", {"n": 1})
    write_report(tmp_path, "run-1", {"n": 2})
    assert read_report(tmp_path, "run-1") == {"n": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["run-1.json"]


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "REPORTS_KEPT", 3)
    for number in range(5):
        path = write_report(tmp_path, f"run-{number}", {})
        os.utime(path, (number, number))
    write_report(tmp_path, "run-9", {})
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["run-3", "run-4", "run-9"]


def test_a_page_lies_beside_its_document(tmp_path: Path) -> None:
    path = write_report(tmp_path, "run-1", {}, "<p>ä</p>")
    page = page_path(tmp_path, "run-1")
    assert page == path.with_suffix(".html")
    assert page.read_text(encoding="utf-8") == "<p>ä</p>"
    assert page.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-1.html", "run-1.json"]


def test_a_page_goes_with_its_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "REPORTS_KEPT", 1)
    os.utime(write_report(tmp_path, "run-1", {}, "one"), (1, 1))
    write_report(tmp_path, "run-2", {}, "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-2.html", "run-2.json"]


def test_runs_are_named_newest_first(tmp_path: Path) -> None:
    assert run_ids(tmp_path / "none") == []
    for number, run_id in enumerate(["b", "c", "a"]):
        path = write_report(tmp_path, run_id, {}, "page")
        os.utime(path, (number, number))
    assert run_ids(tmp_path) == ["a", "c", "b"]


def test_half_of_a_surrogate_pair_stops_nothing(tmp_path: Path) -> None:
    write_report(tmp_path, "run-1", {"key": "a\udce4"}, "<p>a\udce4</p>")
    assert read_report(tmp_path, "run-1") == {"key": "a\udce4"}
    assert page_path(tmp_path, "run-1").read_text() == "<p>a\\udce4</p>"
