"""What the model expects of a target's catalog is, version by version, what the facts say Prisma creates."""

import pytest

from odyssey_assets.model.kinds import Kind
from odyssey_assets.model.schema import ALL_VERSIONS
from odyssey_assets.target.expectation import ExpectedIndex, ExpectedTable, expected_schema, is_same_default
from odyssey_assets_tests.oracle import facts_for


def as_facts(table: ExpectedTable) -> dict[str, object]:
    def index_facts(index: ExpectedIndex) -> dict[str, object]:
        return {"name": index.name, "columns": list(index.columns)}

    return {
        "columns": [
            {
                "name": column.name,
                "postgres_type": column.type_text,
                "nullable": not column.is_required,
                "postgres_default": column.default,
            }
            for column in table.columns
        ],
        "primary_key": None if table.primary_key is None else index_facts(table.primary_key),
        "foreign_keys": [
            {
                "name": key.name,
                "columns": list(key.columns),
                "references": key.parent,
                "referenced_columns": list(key.parent_columns),
                "on_delete": key.on_delete,
                "on_update": key.on_update,
                "deferrable": False,
                "validated": True,
            }
            for key in table.foreign_keys
        ],
        "indexes": [{**index_facts(index), "unique": index.is_unique} for index in table.indexes],
    }


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_the_expectation_is_what_the_facts_say(version: int) -> None:
    expected = expected_schema(version)
    facts = facts_for(version)
    assert {name: list(labels) for name, labels in expected.enums.items()} == facts["enums"]
    assert {name: as_facts(table) for name, table in expected.tables.items()} == facts["tables"]


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (Kind.INTEGER, "0", "'0'::bigint"),
        (Kind.DOUBLE, "0.0", "0"),
        (Kind.DOUBLE, "1.0", "'1'::double precision"),
        (Kind.TEXT, "'draft'::text", "'draft'::character varying"),
        (Kind.TEXT, "'it''s'::text", "'it''s'::character varying"),
        (Kind.JSON, "'{}'::text", "'{}'::jsonb"),
        (Kind.ENUM, "'USER'::\"Role\"", '\'USER\'::"Odd-schema"."Role"'),
        (Kind.MOMENT, "CURRENT_TIMESTAMP", "now()"),
        (Kind.BOOLEAN, "true", "true"),
        (Kind.TEXT, None, None),
    ],
)
def test_defaults_that_give_the_same_value_are_the_same(kind: Kind, one: str | None, other: str | None) -> None:
    assert is_same_default(kind, one, other)
    assert is_same_default(kind, other, one)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (Kind.INTEGER, "0", "1"),
        (Kind.INTEGER, "0", None),
        (Kind.INTEGER, "1", "nextval('s'::regclass)"),
        (Kind.TEXT, "'1'::text", "'1.0'::text"),
        (Kind.TEXT, "'draft'::text", "'Draft'::text"),
        (Kind.TEXT, "'now()'::text", "now()"),
        (Kind.TEXT, "'a'::text", "'a'::text || 'b'::text"),
        (Kind.JSON, "'{}'::text", "'[]'::jsonb"),
        (Kind.ENUM, "'USER'::\"Role\"", "'ADMIN'::\"Role\""),
        (Kind.MOMENT, "CURRENT_TIMESTAMP", "CURRENT_DATE"),
        (Kind.BOOLEAN, "true", "false"),
    ],
)
def test_defaults_that_give_another_value_are_not(kind: Kind, one: str | None, other: str | None) -> None:
    assert not is_same_default(kind, one, other)
    assert not is_same_default(kind, other, one)
