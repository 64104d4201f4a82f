"""The rows of a sample: dates, text, documents and references of every kind the application can leave."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import enums_of, tables_in_order
from odyssey_assets.sample.rows import COLUMNS_OF
from odyssey_assets.sample.writer import DateForm, SampleSummary, write_sample


def open_sample(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


@pytest.fixture
def database(sample: SampleSummary) -> Iterator[sqlite3.Connection]:
    with open_sample(sample.path) as connection:
        yield connection


def test_there_are_rows_for_exactly_the_tables_of_the_model() -> None:
    assert set(COLUMNS_OF) == {table.name for table in tables_in_order()}


def test_optional_values_are_there_more_often_than_not(database: sqlite3.Connection) -> None:
    total, used = database.execute("SELECT count(*), count(userId) FROM Event").fetchone()
    assert 0.55 < used / total < 0.75


@pytest.mark.parametrize("dates", DateForm)
def test_dates_stand_in_the_form_asked_for_and_some_in_that_of_sqlite(tmp_path: Path, dates: DateForm) -> None:
    path = write_sample(tmp_path / "odyssey.db", dates=dates).path
    own_form = {
        DateForm.INTEGER: "typeof({0}) = 'integer'",
        DateForm.ISO: "{0} GLOB '????-??-??T??:??:??.???+00:00' AND typeof({0}) = 'text'",
    }[dates]
    backfilled_form = "{0} GLOB '????-??-?? ??:??:??' AND typeof({0}) = 'text'"
    own, backfilled = 0, 0
    with open_sample(path) as connection:
        for table in tables_in_order():
            for column in table.columns:
                if str(column.type) != "TIMESTAMP":
                    continue
                name = quoted(column.name)
                forms = f"sum({own_form.format(name)}), sum({backfilled_form.format(name)}), count({name})"
                counts = connection.execute(f"SELECT {forms} FROM {quoted(table.name)}").fetchone()
                assert counts[0] + counts[1] == counts[2], f"{table.name}.{column.name} has a form nobody writes"
                if column.server_default is None:
                    assert counts[1] == 0, f"{table.name}.{column.name} has no default to be filled with"
                own, backfilled = own + counts[0], backfilled + counts[1]
    assert 0.01 < backfilled / own < 0.06


def test_dates_before_1970_and_in_the_far_future_occur(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "odyssey.db", scale=10).path
    with open_sample(path) as connection:
        early, late = connection.execute(
            "SELECT sum(createdAt < 0), sum(createdAt > 32503680000000 AND typeof(createdAt) = 'integer') FROM Event"
        ).fetchone()
    assert early > 0
    assert late > 0


def test_every_optional_column_is_used_and_is_null_somewhere(database: sqlite3.Connection) -> None:
    for table in tables_in_order():
        for column in table.columns:
            name = quoted(column.name)
            total, used = database.execute(f"SELECT count(*), count({name}) FROM {quoted(table.name)}").fetchone()
            assert used > 0, f"{table.name}.{column.name} is never used"
            assert (used < total) == bool(column.nullable), f"{table.name}.{column.name}"


def test_enum_columns_hold_labels_of_their_enums(database: sqlite3.Connection) -> None:
    for table in tables_in_order():
        for column, enum in enums_of(table).items():
            found = {value for (value,) in database.execute(f"SELECT {quoted(column)} FROM {quoted(table.name)}")}
            assert found - {None} <= set(enum.enums), f"{table.name}.{column}"


def test_json_columns_hold_json_and_some_of_it_is_nested(database: sqlite3.Connection) -> None:
    nested = 0
    for table in tables_in_order():
        for column in table.columns:
            if not column.info["json"]:
                continue
            name = quoted(column.name)
            wrong, deep = database.execute(
                f"SELECT sum(NOT json_valid({name})), sum({name} GLOB '*[[{{]*[[{{]*') "
                f"FROM {quoted(table.name)} WHERE {name} NOT NULL"
            ).fetchone()
            assert wrong == 0, f"{table.name}.{column.name}"
            nested += deep
    assert nested > 100


@pytest.mark.parametrize(("table", "column"), [("Feedback", "duplicateOfId"), ("CollaborationComment", "parentId")])
def test_self_references_point_everywhere(database: sqlite3.Connection, table: str, column: str) -> None:
    rows = database.execute(
        f"SELECT child.rowid, parent.rowid FROM {quoted(table)} child "
        f"LEFT JOIN {quoted(table)} parent ON parent.id = child.{quoted(column)}"
    ).fetchall()
    links = {(child, parent) for child, parent in rows if parent is not None}
    assert any(parent is None for _, parent in rows)
    assert any(parent == child for child, parent in links)
    assert any(parent < child for child, parent in links)
    assert any(parent > child for child, parent in links)
    assert any(parent != child and (parent, child) in links for child, parent in links), "no ring"


@pytest.mark.parametrize(
    ("table", "column", "parent"),
    [
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
    ],
)
def test_soft_references_lead_to_rows(database: sqlite3.Connection, table: str, column: str, parent: str) -> None:
    dangling = database.execute(
        f"SELECT count(*) FROM {quoted(table)} WHERE {quoted(column)} NOT IN (SELECT id FROM {quoted(parent)})"
    ).fetchone()
    assert dangling == (0,)


@pytest.mark.parametrize(
    ("table", "column", "parent"),
    [
        ("RoadmapItem", "featureIds", "Feature"),
        ("RoadmapItem", "feedbackIds", "Feedback"),
        ("Questionnaire", "panelIds", "Panel"),
        ("Session", "participantIds", "User"),
        ("Session", "facilitatorIds", "User"),
    ],
)
def test_lists_of_ids_lead_to_rows(database: sqlite3.Connection, table: str, column: str, parent: str) -> None:
    listed, dangling = database.execute(
        f"SELECT count(*), sum(item.value NOT IN (SELECT id FROM {quoted(parent)})) "
        f"FROM {quoted(table)}, json_each({quoted(table)}.{quoted(column)}) item"
    ).fetchone()
    assert listed > 0
    assert dangling == 0


@pytest.mark.parametrize(
    ("table", "form"),
    [
        ("User", "usr_" + "?" * 26),
        ("Feedback", "fb_" + "?" * 26),
        ("Village", "vlg-[0-9][0-9][0-9]"),
        ("Feature", "feat-*"),
        ("Vote", "c" + "?" * 24),
        ("Event", "c" + "?" * 24),
    ],
)
def test_ids_have_the_form_of_the_application(database: sqlite3.Connection, table: str, form: str) -> None:
    wrong = database.execute(f"SELECT id FROM {quoted(table)} WHERE id NOT GLOB ?", [form]).fetchall()
    assert wrong == []


def test_text_is_sometimes_unusual(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "odyssey.db", scale=10).path
    with open_sample(path) as connection:
        texts = {text for row in connection.execute("SELECT title, body FROM Notification") for text in row}
    everything = "".join(texts)
    assert "" in texts
    for characters in ("受付", "الوصول", "👩‍👩‍👧‍👦", "cafe\u0301", "\\N and \\.", "\r\n\t", "\x01", "\ufeff"):
        assert characters in everything, ascii(characters)
