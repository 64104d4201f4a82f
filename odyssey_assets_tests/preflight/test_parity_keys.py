"""Parity of keys: one finding for each planted difference of an index or a key."""

import pytest

from odyssey_assets.findings import Severity
from odyssey_assets.preflight.parity import harmless_differences, parity_findings
from odyssey_assets.target.url import TargetUrl
from odyssey_assets_tests.preflight.targets import catalog_after, planted


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
    ("statements", "severity", "kind", "detail"),
    [
        (
            "",
            Severity.ERROR,
            "missing_foreign_key",
            "expected Vote_userId_fkey: (userId) REFERENCES User (id) ON DELETE CASCADE ON UPDATE CASCADE, found none; "
            "nothing keeps orphans out, and deletes do not reach the rows",
        ),
        (
            f'ALTER TABLE "Vote" ADD CONSTRAINT "Vote_userId_fkey" {FOREIGN_KEY} ON DELETE RESTRICT',
            Severity.ERROR,
            "changed_foreign_key",
            "expected Vote_userId_fkey: (userId) REFERENCES User (id) ON DELETE CASCADE ON UPDATE CASCADE, found "
            "(userId) REFERENCES User (id) ON DELETE RESTRICT ON UPDATE CASCADE; "
            "deletes and updates of parents do something else than the application counts on",
        ),
        (
            f'ALTER TABLE "Vote" ADD CONSTRAINT "Vote_userId_fkey" {FOREIGN_KEY} ON DELETE CASCADE DEFERRABLE',
            Severity.WARNING,
            "changed_foreign_key",
            "expected Vote_userId_fkey: (userId) REFERENCES User (id) ON DELETE CASCADE ON UPDATE CASCADE, found "
            "(userId) REFERENCES User (id) ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE; "
            "deletes and updates of parents do something else than the application counts on",
        ),
        (
            f'ALTER TABLE "Vote" ADD CONSTRAINT "Vote_userId_fkey" {FOREIGN_KEY} ON DELETE CASCADE NOT VALID',
            Severity.ERROR,
            "foreign_key_not_validated",
            "expected Vote_userId_fkey validated, found NOT VALID; "
            "orphans may stand in the table; find them with VALIDATE CONSTRAINT Vote_userId_fkey",
        ),
        (
            f'ALTER TABLE "Vote" ADD CONSTRAINT voter {FOREIGN_KEY} ON DELETE CASCADE',
            Severity.WARNING,
            "renamed_foreign_key",
            "expected Vote_userId_fkey, found voter; Prisma's next migration of it will not find it",
        ),
    ],
    ids=["missing", "action", "deferrable", "not validated", "renamed"],
)
def test_a_changed_foreign_key_is_found(
    application: TargetUrl, statements: str, severity: Severity, kind: str, detail: str
) -> None:
    without = 'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey";'
    assert planted(application, without + statements, severity) == (kind, "Vote", None, detail)


def test_a_foreign_key_that_prisma_does_not_make_is_found(application: TargetUrl) -> None:
    kind, table, column, detail = planted(
        application, 'ALTER TABLE "AuditLog" ADD CONSTRAINT who FOREIGN KEY ("userId") REFERENCES "User" (id)'
    )
    assert (kind, table, column) == ("extra_foreign_key", "AuditLog", None)
    assert detail.startswith(
        "expected no such foreign key, found who: (userId) REFERENCES User (id) ON DELETE NO ACTION"
    )


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


def test_an_index_that_is_not_complete_does_not_stand_in_for_a_missing_one(application: TargetUrl) -> None:
    found = catalog_after(
        application,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"User_email_key\"'::regclass; "
        'ALTER INDEX "User_email_key" RENAME TO other',
    )
    assert [finding.kind for finding in parity_findings(found, 5)] == ["missing_unique_index", "extra_unique_index"]
