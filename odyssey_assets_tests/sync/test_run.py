"""Whole runs: PostgreSQL holds exactly the snapshot by the oracle's judgement, or nothing has changed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from odyssey_assets.compare.checks import CheckName
from odyssey_assets.errors import ConfigurationError, IntegrityError, OdysseyError, UnreachableError
from odyssey_assets.model.schema import ALL_VERSIONS
from odyssey_assets.progress import Phase, Progress
from odyssey_assets.sample.writer import DateForm, write_sample
from odyssey_assets.sync import load
from odyssey_assets.sync import run as whole_run
from odyssey_assets.sync.outcome import TableStatus
from odyssey_assets.sync.publish import Published
from odyssey_assets.sync.run import run
from odyssey_assets.target import opening
from odyssey_assets_tests.oracle import catalog, differences, dump, facts_for
from odyssey_assets_tests.statements import ask_postgres, ask_sqlite, prisma_sql, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import NONE, application_rows, failures, request_for, statuses, verification

NEWEST_TABLES = 37
FEW = frozenset({"Village", "User"})
"""For what does not depend on how many tables there are."""


def rows_in(path: Path, table: str) -> int:
    ((count,),) = ask_sqlite(path, f'SELECT count(*) FROM "{table}"')
    return int(count)


OLDEST, NEWEST = ALL_VERSIONS[0], ALL_VERSIONS[-1]
SAMPLES = [
    *((version, list(DateForm)[version % 2], True) for version in ALL_VERSIONS),
    (NEWEST, list(DateForm)[(NEWEST + 1) % 2], True),
    (OLDEST, list(DateForm)[(OLDEST + 1) % 2], False),
    (NEWEST, list(DateForm)[NEWEST % 2], False),
]
"""Every version, both forms of dates, and both kinds of target for the first and the last."""


@pytest.mark.parametrize(("version", "dates", "is_prepared"), SAMPLES)
def test_a_sample_arrives_whole_and_a_second_run_changes_nothing(
    tmp_path: Path, database_uri: str, version: int, dates: DateForm, is_prepared: bool
) -> None:
    source = write_sample(tmp_path / "odyssey.db", scale=0.05, version=version, dates=dates).path
    if is_prepared:
        run_postgres(database_uri, prisma_sql(version))
    request = request_for(tmp_path, source, database_uri)
    outcome = run(request)
    tables = facts_for(version)["tables"]
    assert (outcome.ok, outcome.source_version, failures(outcome)) == (True, version, {})
    expected = {TableStatus.LOADED: len(tables), TableStatus.ABSENT: NEWEST_TABLES - len(tables)}
    assert statuses(outcome) == {status: count for status, count in expected.items() if count}
    assert differences(source, database_uri) == []
    assert catalog(database_uri) == facts_for(version)
    for table in outcome.tables:
        if table.status is TableStatus.LOADED:
            assert (table.inserted, table.source_rows, table.target_rows) == (rows_in(source, table.name),) * 3
    if is_prepared:
        before = application_rows(dump(database_uri))
        again = run(request)
        expected[TableStatus.UNCHANGED] = expected.pop(TableStatus.LOADED)
        assert (again.ok, statuses(again)) == (True, {status: count for status, count in expected.items() if count})
        assert application_rows(dump(database_uri)) == before


def test_tables_that_are_rebuilt_arrive_whole_on_every_server(
    tmp_path: Path, source: Path, every_database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "REBUILD_FROM_ROWS", 1)
    told: list[Progress] = []
    assert run(request_for(tmp_path, source, every_database_uri), told.append).ok
    assert {each.table for each in told if each.phase is Phase.INDEX} >= {"User", "Event", "_PanelToQuestionnaire"}
    assert differences(source, every_database_uri) == []
    assert catalog(every_database_uri) == facts_for(5)


def json_columns_sql() -> str:
    """Every column of documents as ``jsonb``, as a team may have it that left Prisma's default."""
    return "".join(
        f'; ALTER TABLE "{table}" ALTER "{column}" DROP DEFAULT, ALTER "{column}" TYPE jsonb USING "{column}"::jsonb'
        for table, column in [("Feedback", "moderationSignals"), ("AuditLog", "metadata"), ("Event", "metadata")]
        if column in [each["name"] for each in facts_for(5)["tables"][table]["columns"]]
    )


def altered_sql(postgres_type: str, other_type: str) -> str:
    return "".join(
        f'; ALTER TABLE "{table}" ALTER "{column["name"]}" TYPE {other_type}'
        for table, facts in facts_for(5)["tables"].items()
        for column in facts["columns"]
        if column["postgres_type"] == postgres_type
    )


TARGETS: dict[str, Callable[[], str]] = {
    "jsonb, zones, bigint and varchar": lambda: (
        prisma_sql(5)
        + altered_sql("timestamp(3) without time zone", "timestamptz(3)")
        + altered_sql("integer", "bigint")
        + altered_sql("text", "varchar")
        + json_columns_sql()
    ),
    "other order and more columns": lambda: (
        prisma_sql(5, is_reversed=True)
        + """; ALTER TABLE "User" ADD "a" int; ALTER TABLE "Vote" ADD "b" text DEFAULT 'x'"""
    ),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_target_of_other_types_or_order_is_used_as_it_is(
    tmp_path: Path, source: Path, database_uri: str, kind: str
) -> None:
    run_postgres(database_uri, f"SET timezone = 'UTC'; {TARGETS[kind]()}")
    before = catalog(database_uri)
    request = request_for(tmp_path, source, database_uri)
    outcome = run(request)
    assert (outcome.ok, failures(outcome), statuses(outcome)) == (True, {}, {TableStatus.LOADED: NEWEST_TABLES})
    assert differences(source, database_uri) == []
    assert catalog(database_uri) == before
    assert statuses(run(request)) == {TableStatus.UNCHANGED: NEWEST_TABLES}


def test_rows_in_another_order_are_still_unchanged(tmp_path: Path, source: Path, loaded_uri: str) -> None:
    run_postgres(loaded_uri, """UPDATE "Event" SET "id" = "id" WHERE "id" IN (SELECT "id" FROM "Event" LIMIT 20);
                                UPDATE "_FeedbackToRoadmapItem" SET "A" = "A" WHERE ctid = '(0,1)';
                                UPDATE "VerificationToken" SET "token" = "token" WHERE ctid = '(0,1)'""")  # fmt: skip
    outcome = run(request_for(tmp_path, source, loaded_uri))
    assert (outcome.ok, statuses(outcome)) == (True, {TableStatus.UNCHANGED: NEWEST_TABLES})


def test_rows_that_differ_stop_the_run_and_the_sentence_says_what_sync_would_do(
    tmp_path: Path, source: Path, loaded_uri: str
) -> None:
    run_postgres(loaded_uri, """DELETE FROM "Account" WHERE "id" = (SELECT max("id") FROM "Account");
        UPDATE "Event" SET "type" = "type" || '!' WHERE "id" = (SELECT max("id") FROM "Event");
        INSERT INTO "VerificationToken" VALUES ('x', 'y', now()); TRUNCATE "EmailLog" """)  # fmt: skip
    before = dump(loaded_uri)
    outcome = run(request_for(tmp_path, source, loaded_uri))
    assert not outcome.ok
    assert dump(loaded_uri) == before
    assert "nothing was changed" in (outcome.problem or "")
    for sentence in (
        "Account: sync would insert 1, update 0 and delete 0 rows",
        "Event: sync would insert 0, update 1 and delete 0 rows",
        "VerificationToken: sync would insert 0, update 0 and delete 1 rows",
    ):
        assert sentence in (outcome.problem or "")
    assert "Run odyssey sync" in outcome.hint
    by_name = {table.name: table for table in outcome.tables}
    assert by_name["EmailLog"].status is TableStatus.FAILED
    assert {name for name, table in by_name.items() if table.status is TableStatus.DIFFERS} == {
        "Account", "Event", "VerificationToken"}  # fmt: skip


def test_equal_rows_under_a_lost_foreign_key_are_not_said_to_differ(
    tmp_path: Path, source: Path, loaded_uri: str
) -> None:
    run_postgres(loaded_uri, 'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey"; TRUNCATE "EmailLog"')
    before = dump(loaded_uri)
    outcome = run(request_for(tmp_path, source, loaded_uri))
    assert outcome.problem == "Integrity checks failed: Vote fails foreign_keys, schema."
    assert dump(loaded_uri) == before


def test_nobody_sees_half_a_run(tmp_path: Path, source: Path, database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5))
    before = dump(database_uri)
    seen: set[Phase] = set()

    def look(progress: Progress) -> None:
        if progress.phase not in seen:
            seen.add(progress.phase)
            assert dump(database_uri) == before

    assert run(request_for(tmp_path, source, database_uri, publish=FEW), look).ok
    assert {Phase.SNAPSHOT, Phase.LOAD, Phase.PROOF, Phase.COMMIT} <= seen
    assert dump(database_uri) != before


@pytest.mark.parametrize("phase", [Phase.SCHEMA, Phase.LOAD, Phase.INDEX, Phase.PROOF, Phase.COMMIT])
def test_an_error_in_any_phase_leaves_nothing_behind(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch, phase: Phase
) -> None:
    monkeypatch.setattr(load, "REBUILD_FROM_ROWS", 10)

    def fail(progress: Progress) -> None:
        if progress.phase is phase:
            raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        run(request_for(tmp_path, source, database_uri, publish=FEW), fail)
    assert catalog(database_uri) == {"enums": {}, "tables": {}}


def test_a_source_that_breaks_its_own_foreign_keys_is_refused(tmp_path: Path, source: Path, database_uri: str) -> None:
    run_sqlite(source, """UPDATE "Vote" SET "userId" = 'gone' WHERE rowid = 7""")
    with pytest.raises(IntegrityError) as raised:
        run(request_for(tmp_path, source, database_uri))
    assert "Vote" in str(raised.value)
    assert catalog(database_uri) == {"enums": {}, "tables": {}}


def test_a_broken_foreign_key_between_equal_sides_is_no_success(tmp_path: Path, source: Path, loaded_uri: str) -> None:
    """The load is over; the orphan is in both databases, under a constraint that PostgreSQL has lost."""
    run_sqlite(source, """UPDATE "Vote" SET "userId" = 'gone' WHERE rowid = 7""")
    ((vote,),) = ask_sqlite(source, 'SELECT "id" FROM "Vote" WHERE rowid = 7')
    run_postgres(loaded_uri, f"""ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey";
                                 UPDATE "Vote" SET "userId" = 'gone' WHERE "id" = '{vote}'""")  # fmt: skip
    with pytest.raises(IntegrityError, match="breaks its own foreign keys: Vote row 7 refers to a missing User"):
        run(verification(tmp_path, source, loaded_uri))


def test_a_subset_needs_its_parents(tmp_path: Path, source: Path, database_uri: str) -> None:
    with pytest.raises(IntegrityError, match=r"Account.userId .*: refers to a row of User .* publish User as well"):
        run(request_for(tmp_path, source, database_uri, publish=frozenset({"Account"})))
    assert catalog(database_uri) == {"enums": {}, "tables": {}}


def test_a_subset_with_its_parents_is_all_that_is_filled(tmp_path: Path, source: Path, database_uri: str) -> None:
    names = frozenset({"Village", "User", "Account"})
    outcome = run(request_for(tmp_path, source, database_uri, publish=names))
    assert (outcome.ok, statuses(outcome)) == (True, {TableStatus.LOADED: 3})
    assert {name for name, rows in application_rows(dump(database_uri)).items() if rows} == names


def test_a_subset_is_published_and_others_verified_in_one_run(tmp_path: Path, source: Path, loaded_uri: str) -> None:
    run_postgres(loaded_uri, """TRUNCATE "EmailLog"; DELETE FROM "Vote" WHERE ctid = '(0,1)'""")
    before = dump(loaded_uri)
    outcome = run(request_for(tmp_path, source, loaded_uri, publish=frozenset({"EmailLog"}),
                              verify=frozenset({"Vote", "User"})))  # fmt: skip
    assert {table.name: table.status for table in outcome.tables} == {
        "EmailLog": TableStatus.LOADED, "Vote": TableStatus.DIFFERS, "User": TableStatus.VERIFIED}  # fmt: skip
    assert outcome.problem == "Integrity checks failed: Vote fails row_count, rows_equal."
    assert dump(loaded_uri) == before


@pytest.mark.parametrize("is_first", [True, False], ids=["the initial load", "a re-sync"])
def test_a_table_or_a_check_left_out_on_the_way_is_refused_and_nothing_committed(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    way = "publish_tables" if is_first else "resync_tables"
    real = getattr(whole_run, way)

    def without(forgotten: CheckName | None) -> None:
        def forgetful(*arguments: Any) -> Published:
            published: Published = real(*arguments)
            outcomes = dict(published.outcomes)
            village = outcomes.pop("Village")
            if forgotten is not None:
                kept = tuple(check for check in village.checks if check.name is not forgotten)
                outcomes["Village"] = replace(village, checks=kept)
            return replace(published, outcomes=outcomes)

        monkeypatch.setattr(whole_run, way, forgetful)

    if not is_first:
        assert run(request_for(tmp_path, source, database_uri, publish=FEW)).ok
        run_sqlite(source, """UPDATE "Village" SET "name" = 'x'""")
    before = dump(database_uri)
    for forgotten, sentence in ((None, "no account of Village"), (CheckName.NULLS, "no verdict on Village.nulls")):
        without(forgotten)
        with pytest.raises(IntegrityError, match=sentence):
            run(request_for(tmp_path, source, database_uri, publish=FEW, applies_changes=True))
        assert dump(database_uri) == before


@pytest.mark.parametrize("change", ["password", "port", "database"])
def test_a_target_that_cannot_be_reached_is_named_without_the_password(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(opening, "FIRST_WAIT_SECONDS", 0.01)
    parts = urlsplit(database_uri)
    uri = {
        "password": parts._replace(netloc=f"{parts.username}:s3cr3t@{parts.hostname}:{parts.port}"),
        "port": parts._replace(netloc=f"{parts.username}:s3cr3t@{parts.hostname}:1"),
        "database": parts._replace(path="/nowhere"),
    }[change].geturl()
    with pytest.raises(UnreachableError) as raised:
        run(request_for(tmp_path, source, uri))
    assert raised.value.exit_status == 4
    assert "s3cr3t" not in str(raised.value)
    assert str(parts.password) not in str(raised.value)
    assert not (tmp_path / "snapshots").exists()


def test_a_missing_source_changes_nothing(tmp_path: Path, database_uri: str) -> None:
    with pytest.raises(OdysseyError, match="There is no SQLite file") as raised:
        run(request_for(tmp_path, tmp_path / "typo.db", database_uri))
    assert raised.value.exit_status == 2
    assert ask_postgres(database_uri, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [
        (0,)
    ]


def test_a_name_that_no_table_has_is_an_error_and_not_passed_over(
    tmp_path: Path, source: Path, database_uri: str
) -> None:
    for names in ({"publish": frozenset({"User", "Usr"})}, {"publish": NONE, "verify": frozenset({"Usr"})}):
        with pytest.raises(ConfigurationError, match="There is no Odyssey table named Usr") as raised:
            run(request_for(tmp_path, source, database_uri, **names))
        assert raised.value.exit_status == 2
    assert not (tmp_path / "snapshots").exists()


def test_rows_of_a_table_the_source_lacks_are_counted_and_left_alone(
    tmp_path: Path, source: Path, loaded_uri: str
) -> None:
    ((rows,),) = ask_postgres(loaded_uri, 'SELECT count(*) FROM "EmailLog"')
    run_sqlite(source, 'DROP TABLE "EmailLog"')
    before = dump(loaded_uri)
    outcome = run(verification(tmp_path, source, loaded_uri))
    assert {table.name: table.target_rows for table in outcome.tables if table.status is TableStatus.ABSENT} == {
        "EmailLog": rows
    }
    assert rows > 0
    assert dump(loaded_uri) == before
