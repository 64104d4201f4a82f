"""The survey counts what each column really holds, value by value, whatever was declared."""

from odyssey_assets.model.kinds import Kind
from odyssey_assets.source.survey import ColumnSurvey, survey_table
from odyssey_assets_tests.source.conftest import Files


def test_a_column_of_its_usual_class_is_counted(files: Files) -> None:
    path = files.with_rows("T", ["t TEXT", "i INTEGER", "d REAL"], [("a", 1, 0.5), (None, None, None), ("b", 2, 1)])
    survey = survey_table(path, "T", {"t": Kind.TEXT, "i": Kind.INTEGER, "d": Kind.DOUBLE})
    assert (survey.table, survey.rows) == ("T", 3)
    assert {name: column.rows_by_class for name, column in survey.columns.items()} == {
        "t": {"text": 2, "null": 1},
        "i": {"integer": 2, "null": 1},
        "d": {"real": 2, "null": 1},
    }
    assert all(column.null_rows == 1 and column.illegal_classes == () for column in survey.columns.values())


def test_a_mixed_column_is_counted_by_class(files: Files) -> None:
    path = files.with_rows("T", ["v"], [(1,), (1.5,), ("x",), ("y",), (b"z",), (None,)])
    by_class = {"integer": 1, "real": 1, "text": 2, "blob": 1, "null": 1}
    illegal = {
        Kind.TEXT: ("blob", "integer", "real"),
        Kind.JSON: ("blob", "integer", "real"),
        Kind.ENUM: ("blob", "integer", "real"),
        Kind.INTEGER: ("blob", "real", "text"),
        Kind.DOUBLE: ("blob", "integer", "text"),
        Kind.BOOLEAN: ("blob", "real", "text"),
        Kind.MOMENT: ("blob", "real"),
    }
    for kind in Kind:
        survey = survey_table(path, "T", {"v": kind})
        assert survey.columns == {"v": ColumnSurvey("v", kind, by_class)}
        assert survey.columns["v"].illegal_classes == illegal[kind]
        assert survey.columns["v"].value_classes == {"integer", "real", "text", "blob"}


def test_dates_as_text_are_legal_beside_numbers(files: Files) -> None:
    path = files.with_rows("T", ["m DATETIME"], [(1,), ("2025-10-10 09:00:00",), (None,)])
    column = survey_table(path, "T", {"m": Kind.MOMENT}).columns["m"]
    assert column.rows_by_class == {"integer": 1, "text": 1, "null": 1}
    assert column.illegal_classes == ()


def test_an_empty_table_and_a_column_of_nulls_have_no_values(files: Files) -> None:
    empty = survey_table(files.with_rows("T", ["v TEXT"], [], name="a.db"), "T", {"v": Kind.TEXT})
    assert (empty.rows, empty.columns["v"].rows_by_class, empty.columns["v"].null_rows) == (0, {}, 0)
    nulls = survey_table(files.with_rows("T", ["v TEXT"], [(None,)] * 2, name="b.db"), "T", {"v": Kind.TEXT})
    assert (nulls.rows, nulls.columns["v"].rows_by_class, nulls.columns["v"].null_rows) == (2, {"null": 2}, 2)
    assert nulls.columns["v"].value_classes == frozenset()


def test_names_are_quoted(files: Files) -> None:
    path = files.with_rows('T "of" x', ['"a""b" TEXT', '"order" INTEGER'], [("x", "y")])
    survey = survey_table(path, 'T "of" x', {'a"b': Kind.TEXT, "order": Kind.INTEGER})
    assert {name: column.rows_by_class for name, column in survey.columns.items()} == {
        'a"b': {"text": 1},
        "order": {"text": 1},
    }


def test_the_rows_are_counted_and_not_an_index_over_them(files: Files) -> None:
    """Two indexes with each other's content: whoever asks an index for the column sees text only."""
    path = files.with_statements(
        "CREATE TABLE T (v, wide TEXT)",
        "INSERT INTO T VALUES (x'00', 'wrong'), (x'00', 'wrong')",
        "CREATE INDEX by_v ON T (v)",
        "CREATE INDEX by_wide ON T (wide)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET rootpage = CASE name WHEN 'by_v' THEN 4 ELSE 3 END WHERE type = 'index'",
    )
    assert survey_table(path, "T", {"v": Kind.TEXT}).columns["v"].rows_by_class == {"blob": 2}
