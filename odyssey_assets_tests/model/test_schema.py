"""The model is the application's schema in each of its five versions, by the facts in ``facts/``.

Belongs here: tables, columns, keys, enums as declared. Does not belong here: DDL (``source``, ``target``).
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ENUM

from odyssey_assets.model.domains import Domain
from odyssey_assets.model.schema import (
    ALL_VERSIONS,
    NEWEST_VERSION,
    enums_of,
    parents_of,
    schema_of_version,
    tables_in_order,
    version_of,
)

FACTS = Path(__file__).parent.parent / "facts"
every_version = pytest.mark.parametrize("version", ALL_VERSIONS)


@cache
def facts_of(version: int) -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = json.loads((FACTS / f"schema_v{version}.json").read_text())
    return facts


def names_of(version: int) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    tables = facts_of(version)["tables"]
    columns = {name: frozenset(each["name"] for each in table["columns"]) for name, table in tables.items()}
    referring = {name: frozenset(key["columns"][0] for key in table["foreign_keys"]) for name, table in tables.items()}
    return columns, referring


def type_name(type_: Any) -> str:
    if isinstance(type_, ENUM):
        return str(type_.name)
    return str(type_.compile(dialect=postgresql.dialect())).lower()


@every_version
def test_columns_have_the_application_s_order_type_and_nullability(version: int) -> None:
    found = {
        table.name: [(column.name, type_name(column.type), column.nullable) for column in table.columns]
        for table in tables_in_order(version)
    }
    assert found == {
        name: [(each["name"], each["postgres_type"], each["nullable"]) for each in table["columns"]]
        for name, table in facts_of(version)["tables"].items()
    }


@every_version
def test_keys_and_indexes_have_prisma_s_names(version: int) -> None:
    for table in tables_in_order(version):
        expected = facts_of(version)["tables"][table.name]
        key = table.primary_key if table.primary_key.columns else None
        assert (key and {"name": key.name, "columns": key.columns.keys()}) == expected["primary_key"]
        assert {
            (
                str(each.name),
                each.column_keys[0],
                next(iter(each.elements)).target_fullname,
                each.ondelete,
                each.onupdate,
            )
            for each in table.foreign_key_constraints
        } == {
            (each["name"], each["columns"][0], f"{each['references']}.id", each["on_delete"], each["on_update"])
            for each in expected["foreign_keys"]
        }
        assert {(str(each.name), tuple(each.columns.keys()), each.unique) for each in table.indexes} == {
            (each["name"], tuple(each["columns"]), each["unique"]) for each in expected["indexes"]
        }


@every_version
def test_enums_have_their_labels_in_order(version: int) -> None:
    found: dict[str, list[str]] = {}
    for table in tables_in_order(version):
        for column, enum in enums_of(table).items():
            assert table.columns[column].type is enum
            found[str(enum.name)] = list(enum.enums)
    assert found == facts_of(version)["enums"]


@every_version
def test_the_facts_of_a_version_are_recognised(version: int) -> None:
    assert version_of(*names_of(version)) == version


@every_version
def test_a_few_strange_columns_do_not_hide_the_version(version: int) -> None:
    columns, referring = names_of(version)
    columns = columns | {"Mine": frozenset("ab"), "User": columns["User"] | {"mine"} - {"bio"}}
    assert version_of(columns, referring) == version


def test_of_equally_near_versions_the_newest_is_taken() -> None:
    assert version_of({}, {}) == version_of({"User": frozenset({"id"})}, {})
    columns, _ = names_of(2)
    assert names_of(2)[0] == names_of(4)[0]
    assert version_of(columns, {"Feedback": names_of(2)[1]["Feedback"]}) == 2
    assert version_of(columns, {"Feedback": names_of(4)[1]["Feedback"]}) == 4


@every_version
def test_parents_come_first(version: int) -> None:
    seen: set[str] = set()
    for table in tables_in_order(version):
        assert set(parents_of(table)) <= seen
        seen.add(table.name)


def test_parents_are_other_tables_each_once() -> None:
    tables = schema_of_version(NEWEST_VERSION).tables
    assert parents_of(tables["Village"]) == ()
    assert parents_of(tables["CollaborationComment"]) == ("CollaborationSession",)
    assert parents_of(tables["_PanelToQuestionnaire"]) == ("Panel", "Questionnaire")
    assert "Feedback" not in parents_of(tables["Feedback"])


def test_the_newest_version_has_33_models_and_4_join_tables() -> None:
    names = [table.name for table in tables_in_order()]
    assert (len(names), sum(name.startswith("_") for name in names)) == (37, 4)


@every_version
def test_every_table_has_a_domain_and_a_description(version: int) -> None:
    for table in tables_in_order(version):
        assert isinstance(table.info["domain"], Domain)
        assert table.info["description"].endswith(".")
        assert all(isinstance(column.info["json"], bool) for column in table.columns)


def test_every_domain_has_tables() -> None:
    assert {table.info["domain"] for table in tables_in_order()} == set(Domain)


def test_a_version_is_made_once() -> None:
    assert schema_of_version(1) is schema_of_version(1)
    assert schema_of_version(1).tables["User"] is not schema_of_version(NEWEST_VERSION).tables["User"]
