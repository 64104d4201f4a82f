"""The agreement about a table answers what both sides ask of it."""

import pytest

from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import Kind


def test_a_table_lists_its_columns_in_the_target_s_order() -> None:
    table = CarriedTable(
        "T", (CarriedColumn("b", Kind.INTEGER, "integer"), CarriedColumn("a", Kind.TEXT, "text")), ("a",)
    )
    assert table.column_names == ("b", "a")
    assert list(table.kinds.items()) == [("b", Kind.INTEGER), ("a", Kind.TEXT)]


@pytest.mark.parametrize(("target_type", "is_document"), [("jsonb", True), ("json", True), ("text", False)])
def test_text_is_a_document_where_the_target_parses_it(target_type: str, is_document: bool) -> None:
    assert CarriedColumn("c", Kind.JSON, target_type).is_json_document is is_document
