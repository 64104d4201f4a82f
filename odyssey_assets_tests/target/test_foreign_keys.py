"""Facts about the model's foreign keys: present, as declared, validated, and how many rows break them."""

import pytest

from odyssey_assets.model.schema import schema_of_version, tables_in_order
from odyssey_assets.target.catalog import read_catalog
from odyssey_assets.target.connection import connect
from odyssey_assets.target.foreign_keys import ForeignKeyFacts, foreign_key_facts
from odyssey_assets.target.url import TargetUrl
from odyssey_assets_tests.oracle import facts_for
from odyssey_assets_tests.statements import prisma_sql, run_postgres

NAME = "Vote_userId_fkey"
DROP = f'ALTER TABLE "Vote" DROP CONSTRAINT "{NAME}"'
AGAIN = f'{DROP}, ADD CONSTRAINT "{NAME}" FOREIGN KEY'


def facts_of(target: TargetUrl, table: str, version: int = 5) -> tuple[ForeignKeyFacts, ...]:
    with connect(target, read_only=True) as connection:
        catalog = read_catalog(connection, target.schema)
        return foreign_key_facts(connection, catalog, schema_of_version(version).tables[table])


@pytest.fixture(scope="module")
def schema(lasting_target: TargetUrl) -> TargetUrl:
    run_postgres(lasting_target.uri, prisma_sql(5))
    return lasting_target


def test_every_foreign_key_of_every_table_is_found_in_the_applications_own_schema(schema: TargetUrl) -> None:
    expected = {
        name: tuple(
            ForeignKeyFacts(key["name"], exists=True, is_validated=True, as_declared=True, orphan_rows=0)
            for key in sorted(table["foreign_keys"], key=lambda key: key["name"])
        )
        for name, table in facts_for(5)["tables"].items()
    }
    with connect(schema, read_only=True) as connection:
        catalog = read_catalog(connection, "public")
        found = {table.name: foreign_key_facts(connection, catalog, table) for table in tables_in_order()}
    assert found == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (DROP, (False, False, False)),
        (f'{AGAIN} ("userId") REFERENCES "User" ON DELETE CASCADE ON UPDATE CASCADE NOT VALID', (True, False, True)),
        (f'ALTER TABLE "Vote" RENAME CONSTRAINT "{NAME}" TO voter', (True, True, True)),
        (f'{AGAIN} ("userId") REFERENCES "User" ON DELETE SET NULL ON UPDATE CASCADE', (True, True, False)),
        (f'{AGAIN} ("userId") REFERENCES "User" ON DELETE CASCADE', (True, True, False)),
        (f'{AGAIN} ("feedbackId") REFERENCES "User" ON DELETE CASCADE ON UPDATE CASCADE', (True, True, False)),
        (f'{AGAIN} ("userId") REFERENCES "Feedback" ON DELETE CASCADE ON UPDATE CASCADE', (True, True, False)),
    ],
    ids=["missing", "not valid", "renamed", "other delete", "other update", "other column", "other parent"],
)
def test_a_foreign_key_that_is_not_the_models_is_seen(
    target: TargetUrl, change: str, expected: tuple[bool, bool, bool]
) -> None:
    run_postgres(target.uri, f"{prisma_sql(5)}; {change}")
    by_name = {fact.name: fact for fact in facts_of(target, "Vote")}
    fact = by_name.pop(NAME)
    assert (fact.exists, fact.is_validated, fact.as_declared) == expected
    assert all(each.exists and each.is_validated and each.as_declared for each in by_name.values())


def test_orphans_are_counted_also_where_no_constraint_sees_them(target: TargetUrl) -> None:
    run_postgres(
        target.uri,
        """CREATE TABLE "User" ("id" text); INSERT INTO "User" VALUES ('u1'), ('u2');
        CREATE TABLE "Account" ("id" text, "userId" text);
        INSERT INTO "Account" VALUES ('1', 'u1'), ('2', 'gone'), ('3', 'gone'), ('4', NULL), ('5', ''), ('6', 'U1')""",
    )
    assert facts_of(target, "Account") == (
        ForeignKeyFacts("Account_userId_fkey", exists=False, is_validated=False, as_declared=False, orphan_rows=4),
    )


def test_orphans_of_a_self_reference_are_counted(target: TargetUrl) -> None:
    run_postgres(
        target.uri,
        """CREATE TABLE "Feedback" ("id" text, "authorId" text, "featureId" text, "villageId" text,
                                    "duplicateOfId" text);
        INSERT INTO "Feedback" ("id", "duplicateOfId") VALUES ('a', 'b'), ('b', 'a'), ('c', 'c'), ('d', 'gone')""",
    )
    facts = {fact.name: fact.orphan_rows for fact in facts_of(target, "Feedback")}
    assert facts["Feedback_duplicateOfId_fkey"] == 1
    assert {rows for name, rows in facts.items() if name != "Feedback_duplicateOfId_fkey"} == {None}
