"""Which table and column answers to which: by name, and every objection is a finding that names its place."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from odyssey_assets.compare.pairing import Pairing, pair
from odyssey_assets.findings import Severity
from odyssey_assets.model.carried import CarriedColumn
from odyssey_assets.model.kinds import Kind
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.target.catalog import read_catalog
from odyssey_assets.target.connection import connect, execute
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.oracle import facts_for
from odyssey_assets_tests.statements import prisma_sql, run_postgres, run_sqlite


@pytest.fixture(scope="module")
def target(server: EmbeddedServer) -> Iterator[TargetUrl]:
    with fresh_database(server) as uri:
        run_postgres(uri, prisma_sql(5))
        yield parse_target_url(uri)


@pytest.fixture
def newest(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "newest.db", scale=0.01).path


def paired(source: Path, target: TargetUrl, *changes: str, ignore: frozenset[str] = frozenset()) -> Pairing:
    """The pairing with a target that has changed; the change is rolled back."""
    with connect(target) as connection:
        for change in changes:
            execute(connection, change)
        catalog = read_catalog(connection, "public")
    return pair(inspect_source(source), catalog, ignore)


def objections(pairing: Pairing) -> list[tuple[str, str, str | None]]:
    assert all(finding.severity is Severity.ERROR and finding.sentence() for finding in pairing.findings)
    return [(finding.kind, finding.table, finding.column) for finding in pairing.findings]


def columns_of(pairing: Pairing, table: str) -> tuple[CarriedColumn, ...]:
    return next(each for each in pairing.tables if each.name == table).columns


def column_of(pairing: Pairing, table: str, column: str) -> CarriedColumn:
    return next(each for each in columns_of(pairing, table) if each.name == column)


def test_the_newest_source_fits_the_newest_target_whole(newest: Path, target: TargetUrl) -> None:
    pairing = paired(newest, target)
    facts = facts_for(5)["tables"]
    assert (pairing.findings, pairing.absent) == ((), ())
    assert {table.name: list(table.column_names) for table in pairing.tables} == {
        name: [column["name"] for column in table["columns"]] for name, table in facts.items()
    }


def test_parents_come_before_children(newest: Path, target: TargetUrl) -> None:
    place = {table.name: at for at, table in enumerate(paired(newest, target).tables)}
    for name, table in facts_for(5)["tables"].items():
        for key in table["foreign_keys"]:
            assert key["references"] == name or place[key["references"]] < place[name]


def test_a_table_the_source_lacks_is_absent_and_no_objection(tmp_path: Path, target: TargetUrl) -> None:
    old = write_sample(tmp_path / "old.db", scale=0.01, version=4).path
    pairing = paired(old, target)
    assert objections(pairing) == []
    assert set(pairing.absent) == facts_for(5)["tables"].keys() - facts_for(4)["tables"].keys()
    assert {table.name for table in pairing.tables} == facts_for(4)["tables"].keys()


def test_a_source_older_than_a_column_the_target_requires_is_refused(tmp_path: Path, target: TargetUrl) -> None:
    old = write_sample(tmp_path / "old.db", scale=0.01, version=1).path
    assert objections(paired(old, target)) == [("unfillable_target_column", "Panel", "createdById")]


def test_columns_come_in_the_targets_order_and_with_the_targets_types(newest: Path, target: TargetUrl) -> None:
    pairing = paired(
        newest,
        target,
        'ALTER TABLE "Vote" RENAME COLUMN "weight" TO w2',
        'ALTER TABLE "Vote" ADD COLUMN "weight" double precision NOT NULL DEFAULT 1',
        'ALTER TABLE "Vote" DROP COLUMN w2',
        'ALTER TABLE "User" ALTER "createdAt" TYPE timestamptz(3)',
        'ALTER TABLE "Feedback" ALTER "moderationSignals" DROP DEFAULT',
        'ALTER TABLE "Feedback" ALTER "moderationSignals" TYPE jsonb USING "moderationSignals"::jsonb',
    )
    assert objections(pairing) == []
    assert columns_of(pairing, "Vote")[-1] == CarriedColumn("weight", Kind.DOUBLE, "double precision", True)
    assert column_of(pairing, "User", "createdAt").target_type == "timestamp with time zone"
    assert column_of(pairing, "Feedback", "moderationSignals").is_json_document


def test_an_enum_brings_the_targets_labels(newest: Path, target: TargetUrl) -> None:
    pairing = paired(newest, target, """ALTER TYPE "Visibility" ADD VALUE 'new'""")
    assert column_of(pairing, "Feedback", "visibility").labels == (*facts_for(5)["enums"]["Visibility"], "new")


def test_an_enum_that_is_text_in_the_target_is_text(newest: Path, target: TargetUrl) -> None:
    pairing = paired(
        newest,
        target,
        'ALTER TABLE "Feedback" ALTER "visibility" DROP DEFAULT',
        'ALTER TABLE "Feedback" ALTER "visibility" TYPE text',
    )
    assert objections(pairing) == []
    assert column_of(pairing, "Feedback", "visibility") == CarriedColumn("visibility", Kind.TEXT, "text", True)


@pytest.mark.parametrize(
    ("change", "kind", "column"),
    [
        ('ALTER TABLE "Vote" DROP COLUMN "weight"', "missing_target_column", "weight"),
        ('ALTER TABLE "Vote" ALTER "weight" TYPE real', "wrong_target_type", "weight"),
        ('ALTER TABLE "Vote" ALTER "createdAt" TYPE timestamp(0)', "wrong_target_type", "createdAt"),
        ('ALTER TABLE "Vote" ADD COLUMN "more" text NOT NULL', "unfillable_target_column", "more"),
        ('DROP TABLE "Vote"', "missing_target_table", None),
    ],
)
def test_what_a_target_cannot_take_is_named(
    newest: Path, target: TargetUrl, change: str, kind: str, column: str | None
) -> None:
    assert objections(paired(newest, target, change)) == [(kind, "Vote", column)]


def test_columns_of_the_target_alone_may_be_filled_by_themselves(newest: Path, target: TargetUrl) -> None:
    pairing = paired(newest, target, """ALTER TABLE "Vote" ADD COLUMN a text, ADD COLUMN b text NOT NULL DEFAULT 'x'""")
    assert objections(pairing) == []
    assert {"a", "b"}.isdisjoint(each.name for each in columns_of(pairing, "Vote"))


def test_what_the_model_does_not_know_is_refused_unless_named(newest: Path, target: TargetUrl) -> None:
    run_sqlite(newest, "CREATE TABLE Notes (a TEXT)", 'ALTER TABLE "Vote" ADD COLUMN "mood" TEXT')
    unknown = [("unknown_table", "Notes", None), ("unknown_column", "Vote", "mood")]
    assert objections(paired(newest, target)) == unknown
    assert objections(paired(newest, target, ignore=frozenset({"Notes"}))) == unknown[1:]
    assert objections(paired(newest, target, ignore=frozenset({"Vote.mood", "Vote"}))) == unknown[:1]
    kept = paired(newest, target, ignore=frozenset({"Notes", "Vote.mood"}))
    assert objections(kept) == []
    assert "mood" not in [each.name for each in columns_of(kept, "Vote")]


def test_prismas_own_table_and_other_tables_of_the_target_are_no_objection(newest: Path, target: TargetUrl) -> None:
    pairing = paired(
        newest, target, "CREATE TABLE theirs (a int NOT NULL)", "CREATE TABLE _prisma_migrations (id text)"
    )
    assert objections(pairing) == []
    assert {"theirs", "_prisma_migrations"}.isdisjoint(table.name for table in pairing.tables)


@pytest.mark.parametrize(
    ("table", "changes", "expected"),
    [
        ("Vote", (), (("id",), True)),
        ("_PanelToQuestionnaire", (), (("A", "B"), True)),
        ("VerificationToken", (), (("token",), True)),
        ("VerificationToken", ('DROP INDEX "VerificationToken_token_key"',), (("identifier", "token"), True)),
        (
            "VerificationToken",
            ('DROP INDEX "VerificationToken_token_key"', 'DROP INDEX "VerificationToken_identifier_token_key"'),
            (("identifier", "token", "expires"), False),
        ),
        (
            "VerificationToken",
            (
                'DROP INDEX "VerificationToken_token_key"',
                'CREATE UNIQUE INDEX p ON "VerificationToken" ("token") WHERE "token" <> \'\'',
                'CREATE UNIQUE INDEX e ON "VerificationToken" (lower("token"))',
            ),
            (("identifier", "token"), True),
        ),
        (
            "VerificationToken",
            (
                'ALTER TABLE "VerificationToken" ALTER "token" DROP NOT NULL',
                'CREATE UNIQUE INDEX n ON "VerificationToken" ("identifier")',
            ),
            (("identifier",), True),
        ),
    ],
    ids=["primary key", "join table", "narrowest unique", "next unique", "none", "no partial", "no optional"],
)
def test_the_key_that_tells_rows_apart(
    newest: Path, target: TargetUrl, table: str, changes: tuple[str, ...], expected: tuple[tuple[str, ...], bool]
) -> None:
    carried = next(each for each in paired(newest, target, *changes).tables if each.name == table)
    assert (carried.key, carried.is_key_unique) == expected
