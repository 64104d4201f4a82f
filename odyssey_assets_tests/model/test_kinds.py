"""Every column of the model has one kind, and every kind one canonical type."""

import json
from pathlib import Path

from odyssey_assets.model.kinds import CANONICAL_TYPE, Kind, kind_of
from odyssey_assets.model.schema import tables_in_order

FACTS = Path(__file__).parent.parent / "facts" / "schema_v5.json"
KIND_OF_TYPE = {
    "text": Kind.TEXT,
    "integer": Kind.INTEGER,
    "double precision": Kind.DOUBLE,
    "boolean": Kind.BOOLEAN,
    "timestamp(3) without time zone": Kind.MOMENT,
}


def test_kinds_follow_the_types_of_the_application() -> None:
    facts = json.loads(FACTS.read_text())
    expected = {
        (table, column["name"]): Kind.ENUM
        if column["postgres_type"] in facts["enums"]
        else KIND_OF_TYPE[column["postgres_type"]]
        for table, described in facts["tables"].items()
        for column in described["columns"]
    }
    found = {(table.name, column.name): kind_of(column) for table in tables_in_order() for column in table.columns}
    assert {place: Kind.TEXT if kind is Kind.JSON else kind for place, kind in found.items()} == expected


def test_44_columns_hold_json_documents() -> None:
    documents = [
        (table.name, column.name)
        for table in tables_in_order()
        for column in table.columns
        if kind_of(column) is Kind.JSON
    ]
    assert len(documents) == 44
    assert {
        ("User", "villageHistory"),
        ("User", "consents"),
        ("RoadmapItem", "featureIds"),
        ("RoadmapItem", "feedbackIds"),
        ("Questionnaire", "panelIds"),
        ("Session", "participantIds"),
        ("Session", "facilitatorIds"),
    } <= set(documents)


def test_every_kind_has_a_canonical_type() -> None:
    assert CANONICAL_TYPE.keys() == set(Kind)
