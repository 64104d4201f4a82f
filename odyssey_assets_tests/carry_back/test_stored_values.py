"""Values take the forms in which the application itself stores them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey_assets.carry_back.stored_values import DateForm, date_forms, stored_values
from odyssey_assets.model.carried import CarriedColumn
from odyssey_assets.model.kinds import Kind
from odyssey_assets.source.survey import survey_table
from odyssey_assets.source.values import EARLIEST_MILLISECONDS, LATEST_MILLISECONDS, convert_column
from odyssey_assets_tests.statements import run_sqlite

DATES = {"a": Kind.MOMENT, "b": Kind.MOMENT}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def stored(milliseconds: list[int | None], form: DateForm) -> list[Any]:
    microseconds = [None if each is None else each * 1000 for each in milliseconds]
    return stored_values(Kind.MOMENT, pa.array(microseconds, pa.timestamp("us")), form)


@given(st.lists(st.none() | st.integers(EARLIEST_MILLISECONDS, LATEST_MILLISECONDS)), st.sampled_from(DateForm))
def test_every_date_is_read_back_as_it_was(milliseconds: list[int | None], form: DateForm) -> None:
    values = stored(milliseconds, form)
    parts = {
        "integer": pa.array([each if isinstance(each, int) else None for each in values], pa.int64()),
        "text": pa.array([each if isinstance(each, str) else None for each in values], pa.string()),
    }
    read = convert_column(CarriedColumn("a", Kind.MOMENT, "timestamp without time zone"), parts)
    assert read.misfits == ()
    assert read.values.cast(pa.int64()).to_pylist() == [None if each is None else each * 1000 for each in milliseconds]


@given(st.datetimes(datetime(1971, 1, 1), datetime(9999, 12, 31)))
def test_dates_have_the_spelling_of_the_application(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC, microsecond=naive.microsecond // 1000 * 1000)
    milliseconds = (moment - EPOCH) // timedelta(milliseconds=1)
    assert stored([milliseconds], DateForm.INTEGER) == [milliseconds]
    # Python does not pad years.
    text = f"{moment.year:04}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}+00:00"
    assert stored([milliseconds], DateForm.ISO) == [text]


@pytest.mark.parametrize(
    ("kind", "array", "values"),
    [
        (Kind.BOOLEAN, pa.array([True, None, False]), [1, None, 0]),
        (Kind.DOUBLE, pa.array([0.1, None, 5e-324]).view(pa.int64()), [0.1, None, 5e-324]),
        (Kind.INTEGER, pa.array([2**63 - 1, None]), [2**63 - 1, None]),
        (Kind.TEXT, pa.array(["", None, "e\u0301"]), ["", None, "e\u0301"]),
    ],
)
def test_other_kinds(kind: Kind, array: pa.Array, values: list[Any]) -> None:
    found = stored_values(kind, array)
    assert found == values
    assert [type(each) for each in found] == [type(each) for each in values]


def forms_of(folder: Path, *rows: str) -> dict[str, DateForm]:
    """Of table T; table U has three ISO dates and one number."""
    path = folder / "dates.db"
    run_sqlite(
        path,
        "CREATE TABLE T (a DATETIME, b DATETIME)",
        "CREATE TABLE U (a DATETIME, b DATETIME)",
        "INSERT INTO U VALUES ('2025-01-01T00:00:00.000+00:00', 1760000000000), ('2025-01-01T00:00:00Z', NULL), "
        "('2025-01-01T00:00:00.000+00:00', '2025-01-01 00:00:00')",
        *(f"INSERT INTO T VALUES ({row})" for row in rows),
    )
    surveys = [survey_table(path, name, DATES) for name in "TU"]
    return date_forms(path, surveys, frozenset({"T"}))["T"]


def test_most_dates_of_the_column_decide(tmp_path: Path) -> None:
    iso = "'2025-01-01T00:00:00.000+00:00'"
    forms = forms_of(tmp_path, f"1760000000000, {iso}", f"1760000000000, {iso}", f"{iso}, 1760000000000")
    assert forms == {"a": DateForm.INTEGER, "b": DateForm.ISO}


def test_text_of_sql_defaults_does_not_count(tmp_path: Path) -> None:
    naive = "'2025-01-01 00:00:00'"
    forms = forms_of(tmp_path, f"{naive}, NULL", f"{naive}, NULL", "1760000000000, NULL")
    assert forms == {"a": DateForm.INTEGER, "b": DateForm.ISO}


def test_the_whole_base_decides_where_a_column_is_empty(tmp_path: Path) -> None:
    assert forms_of(tmp_path) == {"a": DateForm.ISO, "b": DateForm.ISO}
