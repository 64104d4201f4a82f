"""Before rows move: the schema is made where it is missing, and what would be lost is refused."""

from pathlib import Path

import pytest

from odyssey_assets.errors import ConfigurationError, FindingsError
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync import load
from odyssey_assets.sync.outcome import TableStatus
from odyssey_assets.sync.run import run
from odyssey_assets_tests.oracle import catalog, differences, dump, facts_for
from odyssey_assets_tests.statements import prisma_sql, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import application_rows, failures, request_for, statuses, verification

NOTHING = {"enums": {}, "tables": {}}


def test_another_schema_is_made_and_public_is_left_alone(tmp_path: Path, source: Path, database_uri: str) -> None:
    request = request_for(tmp_path, source, f"{database_uri}&schema=Odd%20schema")
    assert run(request).ok
    assert catalog(database_uri, "Odd schema") == facts_for(5)
    assert catalog(database_uri) == NOTHING
    assert differences(source, database_uri, schema="Odd schema") == []
    assert statuses(run(request)) == {TableStatus.UNCHANGED: len(facts_for(5)["tables"])}


def test_a_schema_that_is_there_is_used_beside_another_of_the_same_tables(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "REBUILD_FROM_ROWS", 5)
    run_postgres(database_uri, f"{prisma_sql(5, schema='app')}; {prisma_sql(5)}")
    assert run(request_for(tmp_path, source, f"{database_uri}&schema=app")).ok
    assert differences(source, database_uri, schema="app") == []
    assert catalog(database_uri, "app") == facts_for(5)
    assert catalog(database_uri) == facts_for(5)
    assert not any(rows for name, rows in application_rows(dump(database_uri)).items() if not name.startswith("app."))


def test_documents_become_jsonb_where_that_was_asked_for(tmp_path: Path, source: Path, database_uri: str) -> None:
    request = request_for(tmp_path, source, database_uri, json_as_jsonb=True)
    assert run(request).ok
    types = {column["postgres_type"] for column in catalog(database_uri)["tables"]["Feedback"]["columns"]}
    assert "jsonb" in types
    assert differences(source, database_uri) == []
    assert statuses(run(request)) == {TableStatus.UNCHANGED: len(facts_for(5)["tables"])}


def test_a_verification_of_an_empty_target_says_to_migrate_first(
    tmp_path: Path, source: Path, database_uri: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"has none of Odyssey's tables yet. Run odyssey migrate first"):
        run(verification(tmp_path, source, database_uri))
    assert catalog(database_uri) == NOTHING


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("CREATE TABLE Notes (a TEXT)", ("unknown_table", "Notes", None)),
        ('ALTER TABLE "Vote" ADD COLUMN "mood" TEXT', ("unknown_column", "Vote", "mood")),
    ],
)
def test_what_the_model_does_not_know_is_refused_and_nothing_is_made(
    tmp_path: Path, source: Path, database_uri: str, change: str, place: tuple[str, str, str | None]
) -> None:
    run_sqlite(source, change)
    with pytest.raises(FindingsError, match="so it would be lost") as raised:
        run(request_for(tmp_path, source, database_uri))
    (finding,) = raised.value.findings
    assert (finding.kind, finding.table, finding.column) == place
    assert catalog(database_uri) == NOTHING


def test_what_may_stay_behind_does(tmp_path: Path, source: Path, database_uri: str) -> None:
    run_sqlite(source, "CREATE TABLE Notes (a TEXT)", 'ALTER TABLE "Vote" ADD COLUMN "mood" TEXT')
    ignored = frozenset({"Notes", "Vote.mood"})
    assert run(request_for(tmp_path, source, database_uri, ignore_unknown=ignored)).ok
    assert catalog(database_uri) == facts_for(5)
    assert differences(source, database_uri) == ["Notes: table only in SQLite", "Vote.mood: column only in SQLite"]


def test_a_newer_source_than_the_target_is_refused(tmp_path: Path, source: Path, database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(4))
    with pytest.raises(FindingsError, match="the source has this table and the target does not") as raised:
        run(request_for(tmp_path, source, database_uri))
    missing = {finding.table for finding in raised.value.findings if finding.kind == "missing_target_table"}
    assert missing == facts_for(5)["tables"].keys() - facts_for(4)["tables"].keys()
    assert catalog(database_uri) == facts_for(4)


def test_an_older_source_than_the_target_fills_what_it_has(tmp_path: Path, database_uri: str) -> None:
    old = write_sample(tmp_path / "old.db", scale=0.05, version=4).path
    run_postgres(database_uri, prisma_sql(5))
    outcome = run(request_for(tmp_path, old, database_uri))
    assert (outcome.ok, failures(outcome)) == (True, {})
    assert differences(old, database_uri) == []


def test_a_source_between_two_versions_is_carried_whole(tmp_path: Path, source: Path, database_uri: str) -> None:
    between = write_sample(tmp_path / "between.db", scale=0.05, version=4).path
    run_sqlite(
        between, f"ATTACH '{source}' AS newer", 'CREATE TABLE "Leaderboard" AS SELECT * FROM newer."Leaderboard"'
    )
    run_postgres(database_uri, prisma_sql(5))
    outcome = run(request_for(tmp_path, between, database_uri))
    assert (outcome.ok, outcome.source_version) == (True, 4)
    assert differences(between, database_uri) == []


def test_a_role_that_may_not_create_is_told_so(tmp_path: Path, source: Path, role_uri: str, database_uri: str) -> None:
    with pytest.raises(ConfigurationError, match="it may not create the schema odyssey_sync, and more") as raised:
        run(request_for(tmp_path, source, role_uri))
    assert raised.value.exit_status == 2
    assert 'let an administrator: GRANT CREATE ON DATABASE "' in raised.value.hint
    assert catalog(database_uri) == NOTHING
    with pytest.raises(ConfigurationError, match="it may not create the schema app and the schema odyssey_sync"):
        run(request_for(tmp_path, source, f"{role_uri}&schema=app"))


def test_a_role_that_owns_its_tables_needs_nothing_more(
    tmp_path: Path, source: Path, role_uri: str, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "REBUILD_FROM_ROWS", 5)
    run_postgres(
        database_uri,
        "GRANT CREATE ON SCHEMA public TO few_rights; CREATE SCHEMA odyssey_sync AUTHORIZATION few_rights",
    )
    assert run(request_for(tmp_path, source, role_uri)).ok
    assert differences(source, database_uri) == []
    assert catalog(database_uri) == facts_for(5)


def test_a_role_that_may_only_read_and_insert_can_load_and_verify(
    tmp_path: Path, source: Path, role_uri: str, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "REBUILD_FROM_ROWS", 5)
    run_postgres(database_uri, f"{prisma_sql(5)}; GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO few_rights")
    run_postgres(database_uri, "CREATE SCHEMA odyssey_sync AUTHORIZATION few_rights")
    assert run(request_for(tmp_path, source, role_uri)).ok
    assert differences(source, database_uri) == []
    assert catalog(database_uri) == facts_for(5)
    assert run(verification(tmp_path, source, role_uri)).ok


def test_a_role_that_may_only_read_can_verify_and_not_load(
    tmp_path: Path, source: Path, role_uri: str, database_uri: str
) -> None:
    run_postgres(database_uri, f"{prisma_sql(5)}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO few_rights")
    before = dump(database_uri)
    with pytest.raises(ConfigurationError, match="it may not create the schema odyssey_sync, and more"):
        run(request_for(tmp_path, source, role_uri))
    assert dump(database_uri) == before
    assert run(request_for(tmp_path, source, database_uri)).ok
    assert run(verification(tmp_path, source, role_uri)).ok
