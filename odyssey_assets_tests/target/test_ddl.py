"""The PostgreSQL schema made from the model is, through the catalog, exactly what the facts say Prisma creates."""

import json

import pytest

from odyssey_assets.model.schema import ALL_VERSIONS, schema_of_version
from odyssey_assets.target.ddl import create_schema_sql
from odyssey_assets_tests.oracle import catalog, facts_for
from odyssey_assets_tests.oracle_catalog import FACTS_DIR
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres

JSON_COLUMNS = 44


def script(version: int, *, json_as_jsonb: bool = False) -> str:
    return ";\n".join(create_schema_sql(schema_of_version(version), json_as_jsonb=json_as_jsonb))


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_the_schema_of_a_version_is_what_the_facts_say(database_uri: str, version: int) -> None:
    run_postgres(database_uri, script(version))
    assert catalog(database_uri) == facts_for(version)


def test_the_newest_schema_is_the_same_on_every_server(every_database_uri: str) -> None:
    run_postgres(every_database_uri, script(5))
    assert catalog(every_database_uri) == facts_for(5)


def test_the_schema_written_from_the_facts_is_the_same(database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5))
    assert catalog(database_uri) == facts_for(5)


def test_the_search_path_decides_the_schema(database_uri: str) -> None:
    run_postgres(database_uri, f'CREATE SCHEMA "Odd schema"; SET LOCAL search_path = "Odd schema"; {script(1)}')
    assert catalog(database_uri, "Odd schema") == facts_for(1)
    assert catalog(database_uri) == {"enums": {}, "tables": {}}


def test_documents_can_be_jsonb_and_nothing_else_changes(database_uri: str) -> None:
    run_postgres(database_uri, script(5, json_as_jsonb=True))
    expected = facts_for(5)
    for table, column in json_columns():
        column_facts = next(each for each in expected["tables"][table]["columns"] if each["name"] == column)
        column_facts["postgres_type"] = "jsonb"
        if column_facts["postgres_default"] is not None:
            column_facts["postgres_default"] = column_facts["postgres_default"].replace("::text", "::jsonb")
    assert catalog(database_uri) == expected
    assert len(json_columns()) == JSON_COLUMNS


def json_columns() -> list[tuple[str, str]]:
    facts = json.loads((FACTS_DIR / "schema_v5.json").read_text(encoding="utf-8"))
    return [
        (name, column["name"])
        for name, table in facts["tables"].items()
        for column in table["columns"]
        if column.get("holds_json")
    ]


def test_making_the_jsonb_schema_leaves_the_model_as_it_was(database_uri: str) -> None:
    script(5, json_as_jsonb=True)
    run_postgres(database_uri, script(5))
    assert ask_postgres(
        database_uri,
        "SELECT count(*) FROM pg_attribute WHERE atttypid = 'jsonb'::regtype "
        "AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)",
    ) == [(0,)]
