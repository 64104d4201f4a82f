"""What the ledger tells of a snapshot is what counting it would find."""

from dataclasses import replace

import pytest

from odyssey_assets.compare.pairing import pair as paired
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.kinds import Kind
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.source.survey import TableSurvey, survey_table
from odyssey_assets.sync.ledger import LedgerEntry, read_ledger
from odyssey_assets.sync.published_survey import published_survey
from odyssey_assets.target.catalog import read_catalog
from odyssey_assets.target.connection import connect
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.sync.dual_run import DualRun

MIXED_DATES = """UPDATE "Feedback" SET "createdAt" = '2025-01-02T03:04:05.678Z' WHERE "id" = 'Feedback-1'"""
NO_TEXT = """UPDATE "User" SET "bio" = NULL"""


def known(pair: DualRun) -> tuple[list[CarriedTable], dict[str, LedgerEntry]]:
    with connect(parse_target_url(pair.uri), read_only=True) as connection:
        tables = paired(inspect_source(pair.source), read_catalog(connection, "public")).tables
        return list(tables), read_ledger(connection, "public")


def classes(survey: TableSurvey) -> dict[str, set[str]]:
    return {name: set(column.rows_by_class) for name, column in survey.columns.items()}


def counts(survey: TableSurvey) -> dict[str, dict[str, int]]:
    """But for dates, whose two forms the ledger does not count."""
    return {name: each.rows_by_class for name, each in survey.columns.items() if each.kind is not Kind.MOMENT}


def test_it_is_what_a_survey_of_the_file_finds(pair: DualRun) -> None:
    pair.change(MIXED_DATES, NO_TEXT)
    pair.forget_snapshots()
    pair.converge()
    tables, ledger = known(pair)
    assert len(tables) == 37
    for table in tables:
        told, counted = published_survey(table, ledger[table.name]), survey_table(pair.source, table.name, table.kinds)
        assert told is not None
        assert told.rows == counted.rows > 0
        assert classes(told) == classes(counted)
        assert counts(told) == counts(counted)
    assert classes(survey_table(pair.source, "User", {"bio": Kind.TEXT})) == {"bio": {"null"}}
    (feedback,) = (table for table in tables if table.name == "Feedback")
    mixed = published_survey(feedback, ledger["Feedback"])
    assert mixed is not None
    assert mixed.columns["createdAt"].value_classes == {"integer", "text"}


def test_after_a_sync_of_few_rows_it_names_every_class_there_is(pair: DualRun) -> None:
    """It may name one more: a form of dates that no row has any more."""
    pair.change(MIXED_DATES)
    pair.converge()
    pair.change("""UPDATE "Feedback" SET "createdAt" = 1735787045678""", """DELETE FROM "Vote" """)
    pair.converge(allowed_deletes={"Vote": 100})
    tables, ledger = known(pair)
    for table in tables:
        told, counted = published_survey(table, ledger[table.name]), survey_table(pair.source, table.name, table.kinds)
        assert told is not None
        assert all(found <= classes(told)[name] for name, found in classes(counted).items())
        assert counts(told) == counts(counted)


@pytest.mark.parametrize("loss", ["held_rows", "date_forms", "one date", "one column"])
def test_where_the_ledger_does_not_tell_nothing_is_made_up(pair: DualRun, loss: str) -> None:
    tables, ledger = known(pair)
    (village,) = (table for table in tables if table.name == "Village")
    entry = ledger["Village"]
    assert entry.date_forms is not None
    lost = {
        "held_rows": replace(entry, held_rows=1),
        "date_forms": replace(entry, date_forms=None),
        "one date": replace(entry, date_forms=dict(list(entry.date_forms.items())[1:])),
        "one column": replace(entry, nulls=dict(list(entry.nulls.items())[1:])),
    }
    assert published_survey(village, entry) is not None
    assert published_survey(village, lost[loss]) is None
