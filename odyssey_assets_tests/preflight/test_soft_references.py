"""Ids without a constraint that lead nowhere: a warning each, with the first row and the number of them."""

import json
import shutil
from pathlib import Path

import pytest

from odyssey_assets.findings import Severity
from odyssey_assets.preflight.soft_references import DANGLING
from odyssey_assets_tests.plain_source import plant, write_database
from odyssey_assets_tests.preflight.examining import examine

SINGLE = [
    ("AuditLog", "userId", "User"),
    ("EmailLog", "userId", "User"),
    ("HRISConflict", "syncId", "HRISSync"),
    ("AIUsageLog", "userId", "User"),
    ("AIUsageLog", "feedbackId", "Feedback"),
    ("FeedbackAIMetadata", "feedbackId", "Feedback"),
    ("Feedback", "moderatedBy", "User"),
    ("CollaborationComment", "authorId", "User"),
    ("CollaborationComment", "feedbackId", "Feedback"),
    ("SessionRecording", "recordedBy", "User"),
]
LISTS = [
    ("RoadmapItem", "featureIds", "Feature"),
    ("RoadmapItem", "feedbackIds", "Feedback"),
    ("Questionnaire", "panelIds", "Panel"),
    ("Session", "participantIds", "User"),
    ("Session", "facilitatorIds", "User"),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("soft") / "odyssey.db", rows=3)


@pytest.fixture
def source(file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(file, tmp_path / "odyssey.db"))


@pytest.mark.parametrize(("table", "column", "parent"), SINGLE)
def test_an_id_that_leads_nowhere_is_a_warning(source: Path, table: str, column: str, parent: str) -> None:
    plant(source, table, 1, **{column: f"{parent}-0"})
    assert examine(source, [table]).findings == ()
    plant(source, table, 2, **{column: "nowhere"})
    plant(source, table, 3, **{column: ""})
    (finding,) = examine(source, [table]).findings
    assert (finding.severity, finding.kind, finding.table, finding.column) == (
        Severity.WARNING,
        DANGLING,
        table,
        column,
    )
    assert (finding.key, finding.count) == ({"id": f"{table}-1"}, 2)
    assert finding.detail == f"rows that name a {parent} that does not exist: 2"


@pytest.mark.parametrize(("table", "column", "parent"), LISTS)
def test_an_id_in_a_list_that_leads_nowhere_is_a_warning(source: Path, table: str, column: str, parent: str) -> None:
    plant(source, table, 1, **{column: json.dumps([f"{parent}-0", f"{parent}-2"])})
    assert examine(source, [table]).findings == ()
    plant(source, table, 2, **{column: json.dumps([f"{parent}-0", "nowhere", "neither"])})
    plant(source, table, 3, **{column: json.dumps([None])})
    (finding,) = examine(source, [table]).findings
    assert (finding.kind, finding.table, finding.column) == (DANGLING, table, column)
    assert (finding.key, finding.count) == ({"id": f"{table}-1"}, 2)


@pytest.mark.parametrize("text", ["", "{", "not json", "{}", "[]", "null"])
def test_a_list_that_holds_no_id_is_no_finding_here(source: Path, text: str) -> None:
    plant(source, "RoadmapItem", 1, featureIds=text)
    assert [each.kind for each in examine(source, ["RoadmapItem"]).findings if each.kind == DANGLING] == (
        [DANGLING] if text == "null" else []
    )


def test_a_row_whose_key_is_broken_too_is_told_by_its_rowid(source: Path) -> None:
    plant(source, "AuditLog", 2, id=b"\xff", userId="nowhere")
    keys = {each.kind: each.key for each in examine(source, ["AuditLog"]).findings}
    assert keys[DANGLING] == {"id": "x'ff'", "rowid": 2}


def test_tables_that_were_not_asked_for_are_left_alone(source: Path) -> None:
    plant(source, "AuditLog", 2, userId="nowhere")
    assert examine(source, ["User"]).findings == ()


def test_rows_that_dangle_are_carried_all_the_same(source: Path) -> None:
    plant(source, "AuditLog", 2, userId="nowhere")
    examination = examine(source)
    assert (examination.rows_held_back, examination.blocking) == ({}, ())
