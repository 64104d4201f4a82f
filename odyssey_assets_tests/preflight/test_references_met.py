"""References seen to be met while tables are read: never said of a key with an orphan, nor of one not wholly seen."""

from pathlib import Path

import pytest

from odyssey_assets.compare.pairing import pair
from odyssey_assets.preflight import references_met
from odyssey_assets.preflight.references_met import ReferencesMet
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.source.reader import read_table
from odyssey_assets.source.survey import survey_table
from odyssey_assets.target.catalog_to_be import catalog_to_be
from odyssey_assets_tests.plain_source import TextBytes, plant, write_database

TARGET = catalog_to_be("public", 5)
TABLES = ("User", "Feedback", "Vote", "AuditLog", "CollaborationComment")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_database(tmp_path / "odyssey.db", rows=9, is_bare=True)


def unmet(path: Path, read: tuple[str, ...] = TABLES) -> set[str]:
    """The foreign keys between these tables that are not said to be met once ``read`` were given."""
    tables = {table.name: table for table in pair(inspect_source(path), TARGET).tables if table.name in TABLES}
    met = ReferencesMet(TARGET, tables)
    for name in read:
        for batch in read_table(path, tables[name], survey_table(path, name, tables[name].kinds)):
            met.add(name, batch)
    keys = [key for name in TABLES for key in TARGET.tables[name].foreign_keys if key.parent in TABLES]
    return {key.name for key in keys if not met.are_met(key)}


def test_references_that_all_have_their_parents_are_met(source: Path) -> None:
    plant(source, "Feedback", 1, duplicateOfId="Feedback-8")
    assert unmet(source) == set()


def test_a_reference_to_nobody_is_not_met_nor_is_one_that_only_looks_alike(source: Path) -> None:
    plant(source, "Vote", 9, userId="nobody")
    plant(source, "Feedback", 5, duplicateOfId="")
    plant(source, "Vote", 2, feedbackId="feedback-1")
    assert unmet(source) == {"Vote_userId_fkey", "Vote_feedbackId_fkey", "Feedback_duplicateOfId_fkey"}


@pytest.mark.parametrize("value", [TextBytes(b"a\xff"), TextBytes(b"a\x00"), b"User-1", 7])
def test_a_reference_that_cannot_be_carried_is_left_to_sqlite(source: Path, value: object) -> None:
    plant(source, "Vote", 3, userId=value)
    assert unmet(source) == {"Vote_userId_fkey"}


def test_a_parent_whose_key_cannot_be_carried_meets_nothing(source: Path) -> None:
    plant(source, "User", 3, id=TextBytes(b"User-2\xff"))
    plant(source, "Vote", 3, userId=TextBytes(b"User-2\xff"))
    assert unmet(source) >= {"Vote_userId_fkey", "Feedback_authorId_fkey"}


def test_parents_that_were_not_read_meet_nothing(source: Path) -> None:
    assert unmet(source, ("Vote", "Feedback")) == {"Vote_userId_fkey", "Feedback_authorId_fkey"}


def test_throwing_out_repetitions_loses_no_orphan(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references_met, "COMPACTED_FROM_VALUES", 0)
    monkeypatch.setattr("odyssey_assets.source.reader.BATCH_ROWS", 2)
    monkeypatch.setattr("odyssey_assets.source.reader._FEWEST_BATCH_ROWS", 1)
    assert unmet(source) == set()
    plant(source, "Vote", 1, userId="nobody")
    assert unmet(source) == {"Vote_userId_fkey"}
