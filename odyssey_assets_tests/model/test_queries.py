"""The application's main queries: they name what the schema has, and find what is there."""

import pytest

from odyssey_assets.model.queries import MAIN_QUERIES, PAGE_ROWS, ApplicationQuery
from odyssey_assets_tests.oracle_catalog import facts_for
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres

SCHEMA = '"public"'
IDS = {"ids": [query.name for query in MAIN_QUERIES]}

ROWS = """
INSERT INTO "User" ("id", "employeeId", "email", "displayName", "updatedAt")
VALUES ('u1', '1', 'a@x', 'Ann', now()), ('u2', '2', 'b@x', 'Bob', now());
INSERT INTO "Feedback" ("id", "title", "body", "authorId", "state", "createdAt", "updatedAt")
SELECT 'f' || n, 'Darker theme ' || n, 'The contrast of buttons', 'u1', 'new',
       timestamp '2025-01-01' + n * interval '1 day', now() FROM generate_series(1, 25) n;
UPDATE "Feedback" SET "state" = 'merged' WHERE "id" = 'f25';
UPDATE "Feedback" SET "title" = 'Keyboard shortcuts' WHERE "id" = 'f3';
"""


@pytest.mark.parametrize("query", MAIN_QUERIES, **IDS)
def test_it_runs_on_every_version_that_has_its_tables(query: ApplicationQuery, database_uri: str) -> None:
    run = 0
    for version in range(1, 6):
        if not set(query.tables) <= set(facts_for(version)["tables"]):
            continue
        schema = f"v{version}"
        run_postgres(database_uri, prisma_sql(version, schema=schema))
        value = "'x'" if query.parameter_sql else ""
        assert ask_postgres(database_uri, query.sql.format(schema=f'"{schema}"').replace("$1", value)) == []
        if query.parameter_sql:
            assert ask_postgres(database_uri, query.parameter_sql.format(schema=f'"{schema}"')) == []
        run += 1
    assert run >= 1


@pytest.mark.parametrize("query", MAIN_QUERIES, **IDS)
def test_it_has_a_parameter_exactly_where_one_is_found_for_it(query: ApplicationQuery) -> None:
    assert ("$1" in query.sql) == (query.parameter_sql is not None)
    assert all(f'"{table}"' in query.sql for table in query.tables)
    assert query.purpose.endswith(".")


def test_they_find_what_is_there(database_uri: str) -> None:
    run_postgres(database_uri, f"{prisma_sql(5)};")
    columns = facts_for(5)["tables"]["Vote"]["columns"]
    assert {"feedbackId", "decayedWeight"} <= {column["name"] for column in columns}
    run_postgres(database_uri, ROWS)
    found = {
        query.name: ask_postgres(
            database_uri,
            query.sql.format(schema=SCHEMA).replace("$1", "'shortcuts'" if query.name == "search" else "'u1'"),
        )
        for query in MAIN_QUERIES
    }
    newest = [row[0] for row in found["newest feedback"]]
    assert newest == [f"f{n}" for n in range(24, 24 - PAGE_ROWS, -1)]
    assert {row[4:] for row in found["newest feedback"]} == {("Ann", 0, 0.0)}
    assert [row[0] for row in found["search"]] == ["f3"]
    assert (found["trending"], found["notifications"], found["roadmap"]) == ([], [], [])
