"""What cannot be carried comes out as NULL and named by its row, whatever class SQLite stored it in.

Belongs here: real files. Does not belong here: each way a value can be wrong (``test_values``).
"""

from datetime import datetime

import pytest

from odyssey_assets.model.kinds import Kind
from odyssey_assets.source import reader
from odyssey_assets.source.survey import LEGAL_CLASSES
from odyssey_assets.source.values import Reason
from odyssey_assets_tests.source.conftest import Files
from odyssey_assets_tests.source.reading import NINE, NINE_MILLISECONDS, batches_of, rows_of, table_of

STORED = {"integer": 1, "real": 1.5, "text": "USER", "blob": b"USER", "null": None}
READ_AS = {
    Kind.TEXT: "USER",
    Kind.JSON: "USER",
    Kind.ENUM: "USER",
    Kind.INTEGER: 1,
    Kind.DOUBLE: 1.5,
    Kind.BOOLEAN: True,
    Kind.MOMENT: datetime(1970, 1, 1, 0, 0, 0, 1000),
}
OTHER_REASON = {(Kind.JSON, "text"): Reason.NOT_JSON, (Kind.MOMENT, "text"): Reason.NOT_A_DATE}
"""What stands against these values, though their storage class is legal."""


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("stored", STORED)
def test_a_storage_class_is_legal_or_a_misfit(files: Files, kind: Kind, stored: str) -> None:
    path = files.with_rows("T", ["v"], [(STORED[stored],), (None,)])
    rows, misfits = rows_of(path, table_of("T", v=kind))
    reason = OTHER_REASON.get((kind, stored))
    if stored not in LEGAL_CLASSES[kind]:
        reason = Reason.STORAGE_CLASS
    assert misfits == ({("v", reason): [1]} if reason else {})
    assert rows == [(None if reason or stored == "null" else READ_AS[kind],), (None,)]


@pytest.mark.parametrize("kind", Kind)
def test_all_storage_classes_in_one_column(files: Files, kind: Kind) -> None:
    path = files.with_rows("T", ["v"], [(value,) for value in STORED.values()])
    rows, misfits = rows_of(path, table_of("T", v=kind))
    illegal = [at for at, stored in enumerate(STORED, start=1) if stored not in LEGAL_CLASSES[kind]]
    assert misfits.pop(("v", Reason.STORAGE_CLASS)) == illegal
    other = {reason: [3] for (of_kind, _), reason in OTHER_REASON.items() if of_kind is kind}
    assert {reason: named for (_, reason), named in misfits.items()} == other
    kept = {at for at in range(1, 5) if at not in illegal} - ({3} if other else set())
    assert [at for at, (value,) in enumerate(rows, start=1) if value is not None] == sorted(kept)


def test_what_affinity_lets_through_is_a_misfit_of_its_row(files: Files) -> None:
    path = files.with_rows(
        "T",
        ["t TEXT", "i INTEGER", "d REAL", "b BOOLEAN", "m DATETIME"],
        [
            (7, "12", "0.25", "1", str(NINE_MILLISECONDS)),
            (b"x", 1.5, "x", "true", 0.5),
            ("a", "", b"", "", b""),
            ("b", 2.0, 2, 1.0, "2025-10-10 09:00:00"),
        ],
    )
    table = table_of("T", t=Kind.TEXT, i=Kind.INTEGER, d=Kind.DOUBLE, b=Kind.BOOLEAN, m=Kind.MOMENT)
    assert rows_of(path, table) == (
        [
            ("7", 12, 0.25, True, NINE),
            (None, None, None, None, None),
            ("a", None, None, None, None),
            ("b", 2, 2.0, True, NINE),
        ],
        {
            ("t", Reason.STORAGE_CLASS): [2],
            ("i", Reason.STORAGE_CLASS): [2, 3],
            ("d", Reason.STORAGE_CLASS): [2, 3],
            ("b", Reason.STORAGE_CLASS): [2, 3],
            ("m", Reason.STORAGE_CLASS): [2, 3],
        },
    )


def test_dates_of_all_forms_stand_in_one_column(files: Files) -> None:
    dates = [NINE_MILLISECONDS, "2025-10-10T09:00:00.000+00:00", None, "2025-10-10 09:00:00", "soon", 1_760_086_800]
    path = files.with_rows("T", ["m DATETIME"], [(date,) for date in dates])
    rows, misfits = rows_of(path, table_of("T", m=Kind.MOMENT))
    assert rows == [(NINE,), (NINE,), (None,), (NINE,), (None,), (None,)]
    assert misfits == {("m", Reason.NOT_A_DATE): [5], ("m", Reason.DATE_IN_SECONDS): [6]}


def test_a_misfit_in_a_later_batch_names_the_position_within_its_batch(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BATCH_ROWS", 16)
    path = files.with_rows("T", ["i INTEGER"], [(number if number != 50 else "x",) for number in range(60)])
    table = table_of("T", i=Kind.INTEGER)
    assert rows_of(path, table)[1] == {("i", Reason.STORAGE_CLASS): [51]}
    assert all(each.rows.max() < 16 for batch in batches_of(path, table) for each in batch.misfits)


def test_text_that_is_not_utf_8_and_text_with_a_nul_are_misfits(files: Files) -> None:
    path = files.with_statements(
        "CREATE TABLE T (t TEXT)",
        "INSERT INTO T VALUES ('good'), (CAST(x'61ff62' AS TEXT)), (CAST(x'610062' AS TEXT)), (CAST(x'c3a9' AS TEXT))",
    )
    assert rows_of(path, table_of("T", t=Kind.TEXT)) == (
        [("good",), (None,), (None,), ("é",)],
        {("t", Reason.NOT_UTF8): [2], ("t", Reason.NUL_CHARACTER): [3]},
    )
