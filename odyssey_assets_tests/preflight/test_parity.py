"""Schema parity: silent on what Prisma makes, one finding for each planted difference, one sentence for a harmless one.

Every difference is planted in a transaction that is rolled back.
"""

import pytest

from odyssey_assets.model.schema import ALL_VERSIONS, schema_of_version
from odyssey_assets.preflight.parity import harmless_differences, parity_findings
from odyssey_assets.target.ddl import create_schema_sql
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.preflight.targets import catalog_after, planted


@pytest.mark.parametrize("version", ALL_VERSIONS)
@pytest.mark.parametrize("schema", ["fresh", "Odd-schema"])
def test_what_the_model_creates_differs_in_nothing(application: TargetUrl, version: int, schema: str) -> None:
    created = create_schema_sql(schema_of_version(version))
    script = ";".join([f'CREATE SCHEMA "{schema}"', f'SET LOCAL search_path = "{schema}"', *created])
    found = catalog_after(application, script + "; SET LOCAL search_path = public", schema)
    assert found.tables.keys() == schema_of_version(version).tables.keys()
    assert parity_findings(found, version) == ()
    assert harmless_differences(found, version) == ()


def test_what_the_model_creates_differs_in_nothing_on_every_server(every_database_uri: str) -> None:
    created = ";".join(create_schema_sql(schema_of_version(5)))
    found = catalog_after(parse_target_url(every_database_uri), created)
    assert len(found.tables) == 37
    assert (parity_findings(found, 5), harmless_differences(found, 5)) == ((), ())


def test_what_prisma_creates_differs_in_nothing(application: TargetUrl) -> None:
    found = catalog_after(application, 'CREATE TABLE "_prisma_migrations" (id varchar(36) PRIMARY KEY)')
    assert parity_findings(found, 5) == ()
    assert harmless_differences(found, 5) == ()


def test_an_empty_schema_is_not_a_matter_of_parity(application: TargetUrl) -> None:
    nothing = catalog_after(application, "", "nowhere")
    assert (parity_findings(nothing, 5), harmless_differences(nothing, 5)) == ((), ())


def test_missing_tables_and_columns_are_left_to_the_pairing(application: TargetUrl) -> None:
    found = catalog_after(
        application, 'DROP TABLE "Vote" CASCADE; ALTER TABLE "Feedback" DROP COLUMN "featureId" CASCADE'
    )
    assert parity_findings(found, 5) == ()


@pytest.mark.parametrize(
    ("statements", "kind", "column", "detail"),
    [
        (
            'ALTER TABLE "User" ALTER "role" DROP DEFAULT',
            "changed_default",
            "role",
            "expected the default 'USER'::\"Role\", found no default; "
            "what is inserted without a value differs after the cutover",
        ),
        (
            "ALTER TABLE \"User\" ALTER \"role\" SET DEFAULT 'ADMIN'",
            "changed_default",
            "role",
            "expected the default 'USER'::\"Role\", found the default 'ADMIN'::\"Role\"; "
            "what is inserted without a value differs after the cutover",
        ),
        (
            'ALTER TABLE "User" ALTER "updatedAt" SET DEFAULT CURRENT_TIMESTAMP',
            "changed_default",
            "updatedAt",
            "expected no default, found the default CURRENT_TIMESTAMP; "
            "what is inserted without a value differs after the cutover",
        ),
        (
            'ALTER TABLE "User" ALTER "email" DROP NOT NULL',
            "changed_nullability",
            "email",
            "expected NOT NULL, found a column that takes NULL; the application cannot read a row with one",
        ),
        (
            'ALTER TABLE "User" ALTER "bio" SET NOT NULL',
            "changed_nullability",
            "bio",
            "expected a column that takes NULL, found NOT NULL; rows without a value are refused",
        ),
        (
            'ALTER TABLE "User" ALTER "bio" TYPE varchar(9)',
            "changed_type",
            "bio",
            "expected the type text, found character varying(9); longer text is refused",
        ),
        (
            'ALTER TABLE "User" ALTER "role" DROP DEFAULT, ALTER "role" TYPE text, '
            "ALTER \"role\" SET DEFAULT 'USER'",
            "changed_type",
            "role",
            "expected the type Role, found text; PostgreSQL takes any text there, and values sort otherwise",
        ),
        (
            "CREATE TYPE \"Part\" AS ENUM ('USER'); ALTER TABLE \"User\" ALTER \"role\" DROP DEFAULT, "
            'ALTER "role" TYPE "Part" USING "role"::text::"Part", ALTER "role" SET DEFAULT \'USER\'',
            "changed_type",
            "role",
            "expected the type Role, found Part; labels and order are those of another type",
        ),
    ],
)  # fmt: skip
def test_a_changed_column_is_found(
    application: TargetUrl, statements: str, kind: str, column: str, detail: str
) -> None:
    assert planted(application, statements) == (kind, "User", column, detail)


def test_an_integer_made_smaller_is_found(application: TargetUrl) -> None:
    kind, table, column, detail = planted(application, 'ALTER TABLE "AIUsageLog" ALTER "promptTokens" TYPE smallint')
    assert (kind, table, column) == ("changed_type", "AIUsageLog", "promptTokens")
    assert detail == "expected the type integer, found smallint; numbers beyond 32,767 are refused"


@pytest.mark.parametrize(
    ("statements", "detail"),
    [
        (
            "ALTER TYPE \"RoadmapStage\" ADD VALUE 'someday'",
            "the enum RoadmapStage: expected the labels now, next, later, under_consideration, found now, next, later, "
            "under_consideration, someday; the application cannot read someday",
        ),
        (
            "ALTER TYPE \"RoadmapStage\" RENAME VALUE 'later' TO 'Later'",
            "the enum RoadmapStage: expected the labels now, next, later, under_consideration, found now, next, Later, "
            "under_consideration; rows with later are refused and the application cannot read Later",
        ),
        (
            "ALTER TYPE \"RoadmapStage\" RENAME VALUE 'now' TO '-'; "
            "ALTER TYPE \"RoadmapStage\" RENAME VALUE 'next' TO 'now'; "
            "ALTER TYPE \"RoadmapStage\" RENAME VALUE '-' TO 'next'",
            "the enum RoadmapStage: expected the labels now, next, later, under_consideration, found next, now, later, "
            "under_consideration; the values sort otherwise",
        ),
    ],
    ids=["extra", "renamed", "reordered"],
)
def test_a_changed_enum_is_found(application: TargetUrl, statements: str, detail: str) -> None:
    assert planted(application, statements) == ("changed_enum", "", None, detail)


@pytest.mark.parametrize(
    ("statements", "sentence"),
    [
        (
            'ALTER TABLE "AIUsageLog" ALTER result DROP DEFAULT, ALTER result TYPE jsonb USING result::jsonb, '
            "ALTER result SET DEFAULT '{}'",
            "AIUsageLog.result is jsonb instead of text; documents are compared as JSON",
        ),
        (
            'ALTER TABLE "User" ALTER "createdAt" TYPE timestamptz(3)',
            "User.createdAt is timestamp(3) with time zone instead of timestamp(3) without time zone; "
            "it holds the same values",
        ),
        (
            'ALTER TABLE "User" ALTER "updatedAt" TYPE timestamp',
            "User.updatedAt is timestamp without time zone instead of timestamp(3) without time zone; "
            "it holds the same values",
        ),
        (
            'ALTER TABLE "AIUsageLog" ALTER "promptTokens" TYPE bigint, ALTER "promptTokens" SET DEFAULT \'0\'',
            "AIUsageLog.promptTokens is bigint instead of integer; it holds the same values",
        ),
        (
            'ALTER TABLE "User" ALTER bio TYPE varchar',
            "User.bio is character varying instead of text; it holds the same values",
        ),
        (
            'ALTER TABLE "User" ADD extra text',
            "User.extra is not in the schema; rows get NULL",
        ),
        (
            'ALTER TABLE "User" ADD extra int NOT NULL DEFAULT 7',
            "User.extra is not in the schema; rows get 7",
        ),
        (
            'ALTER TABLE "User" RENAME bio TO old; ALTER TABLE "User" ADD bio text; ALTER TABLE "User" DROP old',
            "User has its columns in another order; rows are carried by name",
        ),
        (
            "CREATE TABLE notes (id int PRIMARY KEY)",
            "PostgreSQL has the table notes besides those of the schema; it is left alone",
        ),
        (
            "CREATE TYPE mood AS ENUM ('ok')",
            "PostgreSQL has the enum mood besides those of the schema",
        ),
        (
            'CREATE INDEX by_name ON "User" (lower(bio))',
            "User has the index by_name besides those of the schema",
        ),
        (
            'DROP INDEX "User_email_key"; ALTER TABLE "User" ADD CONSTRAINT "User_email_key" UNIQUE (email)',
            "User has User_email_key as a unique constraint instead of a unique index",
        ),
    ],
)  # fmt: skip
def test_a_harmless_difference_is_listed_and_no_finding(application: TargetUrl, statements: str, sentence: str) -> None:
    found = catalog_after(application, statements)
    assert parity_findings(found, 5) == ()
    assert harmless_differences(found, 5) == (sentence,)
