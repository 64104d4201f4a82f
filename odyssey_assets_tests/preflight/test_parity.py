"""Schema parity: silent on what Prisma makes, one finding for each planted difference, one sentence for a harmless one.

Every difference is planted in a transaction that is rolled back, in one database on each server.
"""

from collections.abc import Iterator

import pytest

from odyssey_assets.findings import Severity
from odyssey_assets.model.schema import ALL_VERSIONS, schema_of_version
from odyssey_assets.preflight.parity import harmless_differences, parity_findings
from odyssey_assets.target.catalog import TargetCatalog, read_catalog
from odyssey_assets.target.connection import connect, execute
from odyssey_assets.target.ddl import create_schema_sql
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.statements import prisma_sql, run_postgres


@pytest.fixture(scope="module")
def application(every_server: EmbeddedServer) -> Iterator[TargetUrl]:
    """The newest version as Prisma makes it, on each server in turn; nothing a test does there stays."""
    with fresh_database(every_server) as uri:
        run_postgres(uri, prisma_sql(5))
        yield parse_target_url(uri)


def catalog_after(target: TargetUrl, statements: str, schema: str = "public") -> TargetCatalog:
    with connect(target) as connection:
        for statement in filter(None, map(str.strip, statements.split(";"))):
            execute(connection, statement)
        return read_catalog(connection, schema)


def planted(target: TargetUrl, statements: str) -> tuple[str, str, str | None, str]:
    """The one finding, which must be a warning."""
    (finding,) = parity_findings(catalog_after(target, statements), 5)
    assert finding.severity is Severity.WARNING
    return finding.kind, finding.table, finding.column, finding.detail


@pytest.mark.parametrize("version", ALL_VERSIONS)
@pytest.mark.parametrize("schema", ["fresh", "Odd-schema"])
def test_what_the_model_creates_differs_in_nothing(application: TargetUrl, version: int, schema: str) -> None:
    created = create_schema_sql(schema_of_version(version))
    script = ";".join([f'CREATE SCHEMA "{schema}"', f'SET LOCAL search_path = "{schema}"', *created])
    found = catalog_after(application, script + "; SET LOCAL search_path = public", schema)
    assert found.tables.keys() == schema_of_version(version).tables.keys()
    assert parity_findings(found, version) == ()
    assert harmless_differences(found, version) == ()


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


@pytest.mark.parametrize("type_name", ["timestamp(0)", "timestamptz(2)"])
def test_a_date_that_would_be_rounded_is_an_error(application: TargetUrl, type_name: str) -> None:
    (finding,) = parity_findings(
        catalog_after(application, f'ALTER TABLE "User" ALTER "createdAt" TYPE {type_name}'), 5
    )  # fmt: skip
    assert (finding.severity, finding.kind, finding.column) == (Severity.ERROR, "changed_type", "createdAt")
    assert finding.detail.endswith("; PostgreSQL rounds milliseconds away without a word")


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
    ("statements", "kind", "table", "detail"),
    [
        (
            'DROP INDEX "User_email_key"',
            "missing_unique_index",
            "User",
            "expected User_email_key UNIQUE btree (email), found none; nothing keeps duplicates out",
        ),
        (
            'DROP INDEX "_SessionFacilitators_B_index"',
            "missing_index",
            "_SessionFacilitators",
            "expected _SessionFacilitators_B_index btree (B), found none; "
            "queries of the application will be slower",
        ),
        (
            'ALTER INDEX "User_email_key" RENAME TO "email_is_unique"',
            "renamed_index",
            "User",
            "expected User_email_key UNIQUE btree (email), found the same under the name email_is_unique; "
            "Prisma's next migration of it will not find it",
        ),
        (
            'DROP INDEX "User_email_key"; CREATE INDEX "User_email_key" ON "User" (email)',
            "changed_index",
            "User",
            "expected User_email_key UNIQUE btree (email), found User_email_key btree (email); uniqueness is another",
        ),
        (
            'DROP INDEX "User_email_key"; CREATE UNIQUE INDEX "User_email_key" ON "User" (lower(email))',
            "changed_index",
            "User",
            "expected User_email_key UNIQUE btree (email), found User_email_key UNIQUE btree (lower(email)); "
            "uniqueness is another",
        ),
        (
            'DROP INDEX "User_email_key"; CREATE UNIQUE INDEX "User_email_key" ON "User" (email) WHERE role = \'USER\'',
            "changed_index",
            "User",
            "expected User_email_key UNIQUE btree (email), found User_email_key UNIQUE btree (email) "
            "WHERE (role = 'USER'::Role); uniqueness is another",
        ),
        (
            'DROP INDEX "User_email_key"; '
            'ALTER TABLE "User" ADD CONSTRAINT "User_email_key" UNIQUE (email) DEFERRABLE',
            "changed_index",
            "User",
            "expected User_email_key UNIQUE btree (email), found User_email_key UNIQUE btree (email) DEFERRABLE; "
            "uniqueness is another",
        ),
        (
            'DROP INDEX "_SessionFacilitators_B_index"; '
            'CREATE INDEX "_SessionFacilitators_B_index" ON "_SessionFacilitators" USING hash ("B")',
            "changed_index",
            "_SessionFacilitators",
            "expected _SessionFacilitators_B_index btree (B), found _SessionFacilitators_B_index hash (B); "
            "queries may be slower",
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"User_email_key\"'::regclass",
            "invalid_index",
            "User",
            "expected User_email_key complete, found one whose building was broken off; "
            "PostgreSQL does not use it; repair it with REINDEX INDEX User_email_key",
        ),
        (
            'CREATE UNIQUE INDEX one_name ON "User" (bio) WHERE bio IS NOT NULL',
            "extra_unique_index",
            "User",
            "expected no index one_name, found one_name UNIQUE btree (bio) WHERE (bio IS NOT NULL); "
            "it refuses rows that the schema allows",
        ),
        (
            'ALTER TABLE "AIUsageLog" DROP CONSTRAINT "AIUsageLog_pkey"',
            "missing_primary_key",
            "AIUsageLog",
            "expected AIUsageLog_pkey PRIMARY KEY (id), found none; nothing keeps duplicates and NULLs out",
        ),
        (
            'ALTER TABLE "_SessionFacilitators" DROP CONSTRAINT "_SessionFacilitators_AB_pkey"; '
            'CREATE UNIQUE INDEX "_SessionFacilitators_AB_unique" ON "_SessionFacilitators" ("A", "B")',
            "missing_primary_key",
            "_SessionFacilitators",
            "expected _SessionFacilitators_AB_pkey PRIMARY KEY (A, B), found the unique index "
            "_SessionFacilitators_AB_unique; logical replication and Prisma need one",
        ),
        (
            'ALTER TABLE "_SessionFacilitators" DROP CONSTRAINT "_SessionFacilitators_AB_pkey", '
            'ADD CONSTRAINT "_SessionFacilitators_AB_pkey" PRIMARY KEY ("B", "A")',
            "changed_primary_key",
            "_SessionFacilitators",
            "expected _SessionFacilitators_AB_pkey PRIMARY KEY (A, B), found _SessionFacilitators_AB_pkey PRIMARY KEY "
            "(B, A); rows may be told apart otherwise, and Prisma's next migration may fail",
        ),
        (
            'ALTER TABLE "VerificationToken" ADD PRIMARY KEY (identifier, token)',
            "extra_primary_key",
            "VerificationToken",
            "expected no primary key, found VerificationToken_pkey PRIMARY KEY (identifier, token); "
            "it may refuse rows of the source",
        ),
    ],
)  # fmt: skip
def test_a_changed_index_is_found(application: TargetUrl, statements: str, kind: str, table: str, detail: str) -> None:
    assert planted(application, statements) == (kind, table, None, detail)


FOREIGN_KEY = 'FOREIGN KEY ("userId") REFERENCES "User" (id) ON UPDATE CASCADE'


@pytest.mark.parametrize(
    ("statements", "kind", "detail"),
    [
        (
            "",
            "missing_foreign_key",
            "expected Vote_userId_fkey: (userId) REFERENCES User (id) ON DELETE CASCADE ON UPDATE CASCADE, found none; "
            "nothing keeps orphans out, and deletes do not reach the rows",
        ),
        (
            f'ALTER TABLE "Vote" ADD CONSTRAINT "Vote_userId_fkey" {FOREIGN_KEY} ON DELETE RESTRICT',
            "changed_foreign_key",
            "expected Vote_userId_fkey: (userId) REFERENCES User (id) ON DELETE CASCADE ON UPDATE CASCADE, found "
            "(userId) REFERENCES User (id) ON DELETE RESTRICT ON UPDATE CASCADE; "
            "deletes and updates of parents do something else than the application counts on",
        ),
        (
            f'ALTER TABLE "Vote" ADD CONSTRAINT "Vote_userId_fkey" {FOREIGN_KEY} ON DELETE CASCADE DEFERRABLE',
            "changed_foreign_key",
            "expected Vote_userId_fkey: (userId) REFERENCES User (id) ON DELETE CASCADE ON UPDATE CASCADE, found "
            "(userId) REFERENCES User (id) ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE; "
            "deletes and updates of parents do something else than the application counts on",
        ),
        (
            f'ALTER TABLE "Vote" ADD CONSTRAINT "Vote_userId_fkey" {FOREIGN_KEY} ON DELETE CASCADE NOT VALID',
            "foreign_key_not_validated",
            "expected Vote_userId_fkey validated, found NOT VALID; "
            "orphans may stand in the table; find them with VALIDATE CONSTRAINT Vote_userId_fkey",
        ),
        (
            f'ALTER TABLE "Vote" ADD CONSTRAINT voter {FOREIGN_KEY} ON DELETE CASCADE',
            "renamed_foreign_key",
            "expected Vote_userId_fkey, found voter; Prisma's next migration of it will not find it",
        ),
    ],
    ids=["missing", "action", "deferrable", "not validated", "renamed"],
)
def test_a_changed_foreign_key_is_found(application: TargetUrl, statements: str, kind: str, detail: str) -> None:
    without = 'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey";'
    assert planted(application, without + statements) == (kind, "Vote", None, detail)


def test_a_foreign_key_that_prisma_does_not_make_is_found(application: TargetUrl) -> None:
    kind, table, column, detail = planted(
        application, 'ALTER TABLE "AuditLog" ADD CONSTRAINT who FOREIGN KEY ("userId") REFERENCES "User" (id)'
    )
    assert (kind, table, column) == ("extra_foreign_key", "AuditLog", None)
    assert detail.startswith(
        "expected no such foreign key, found who: (userId) REFERENCES User (id) ON DELETE NO ACTION"
    )


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


def test_keys_over_a_column_that_stays_empty_refuse_nothing(application: TargetUrl) -> None:
    found = catalog_after(
        application, 'ALTER TABLE "User" ADD extra text CONSTRAINT one_each UNIQUE CONSTRAINT of REFERENCES "User"'
    )
    assert parity_findings(found, 5) == ()
    assert harmless_differences(found, 5) == (
        "User.extra is not in the schema; rows get NULL",
        "User has the index one_each besides those of the schema",
        "User has the foreign key of besides those of the schema",
    )


def test_a_unique_column_that_is_filled_by_a_default_refuses_rows(application: TargetUrl) -> None:
    kind, table, *_ = planted(application, "ALTER TABLE \"User\" ADD extra text DEFAULT 'x' CONSTRAINT one UNIQUE")
    assert (kind, table) == ("extra_unique_index", "User")
