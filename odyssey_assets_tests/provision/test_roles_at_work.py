"""The three roles do their work with a real engine, on every server, and each can do no more than its own."""

from pathlib import Path

import psycopg
import pytest

from odyssey_assets.errors import ConfigurationError
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.preflight.run import PreflightRequest, run_preflight
from odyssey_assets.provision.roles import Duty
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync import load
from odyssey_assets.sync.outcome import Policy, TableStatus
from odyssey_assets.sync.run import run
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.provision.conftest import Place
from odyssey_assets_tests.statements import ask_sqlite, prisma_sql, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import request_for, statuses, verification

EDITS = (
    "UPDATE Village SET name = name || ' (moved)'",
    "DELETE FROM Vote WHERE id = (SELECT min(id) FROM Vote)",
    "INSERT INTO Village SELECT 'new', 'new', createdAt, updatedAt FROM Village LIMIT 1",
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "odyssey.db", scale=0.02).path


def errors_of_preflight(folder: Path, source: Path, url: str) -> list[Finding]:
    verdict = run_preflight(PreflightRequest(source, parse_target_url(url), folder / "snapshots"))
    return [finding for finding in verdict.findings if finding.severity is Severity.ERROR]


def refused(url: str, statement: str) -> str:
    """The right that PostgreSQL says is lacking."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as raised, psycopg.connect(url) as connection:
        connection.execute(statement)  # type: ignore[call-overload]
    return str(raised.value).splitlines()[0]


def test_the_owner_migrates_the_syncer_syncs_the_verifier_verifies(
    every_place: Place, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "REBUILD_FROM_ROWS", 5)
    urls = every_place.urls()
    assert run(request_for(tmp_path, source, urls[Duty.OWNER])).ok
    assert differences(source, urls[Duty.VERIFY]) == []

    run_sqlite(source, *EDITS)
    outcome = run(request_for(tmp_path, source, urls[Duty.SYNC], applies_changes=True))
    assert outcome.problem is None
    changed = [
        sum(counts) for counts in zip(*((t.inserted, t.updated, t.deleted) for t in outcome.tables), strict=True)
    ]
    assert all(changed), changed
    assert differences(source, urls[Duty.VERIFY]) == []
    assert every_place.ask("SELECT count(*) FROM odyssey_sync.publication") == [(2,)]

    before = dump(every_place.server.uri_of(every_place.database))
    assert run(verification(tmp_path, source, urls[Duty.VERIFY])).ok
    assert dump(every_place.server.uri_of(every_place.database)) == before


def test_a_row_that_is_held_back_and_mended_is_the_syncers_work_too(place: Place, source: Path, tmp_path: Path) -> None:
    urls = place.urls()
    assert run(request_for(tmp_path, source, urls[Duty.OWNER])).ok
    ((row,),) = ask_sqlite(source, "SELECT min(id) FROM Vote")
    ((at,),) = ask_sqlite(source, f"SELECT createdAt FROM Vote WHERE id = '{row}'")
    run_sqlite(source, f"UPDATE Vote SET createdAt = 'some day' WHERE id = '{row}'")
    options = {"applies_changes": True, "policy": Policy.QUARANTINE}
    assert run(request_for(tmp_path, source, urls[Duty.SYNC], **options)).ok
    assert place.ask("SELECT count(*) FROM odyssey_sync.quarantine") == [(1,)]
    run_sqlite(source, f"UPDATE Vote SET createdAt = {at!r} WHERE id = '{row}'")
    assert run(request_for(tmp_path, source, urls[Duty.SYNC], **options)).ok
    assert place.ask("SELECT count(*) FROM odyssey_sync.quarantine") == [(0,)]
    assert differences(source, urls[Duty.VERIFY]) == []


def test_each_role_can_do_no_more(every_place: Place, source: Path, tmp_path: Path) -> None:
    urls = every_place.urls("--app")
    assert run(request_for(tmp_path, source, urls[Duty.OWNER])).ok
    for duty in (Duty.SYNC, Duty.APP, Duty.VERIFY):
        assert refused(urls[duty], "CREATE TABLE t (a int)") == "permission denied for schema public"
        assert refused(urls[duty], 'DROP TABLE "Vote"') == "must be owner of table Vote"
        assert refused(urls[duty], 'ALTER TABLE "Vote" ADD COLUMN x int') == "must be owner of table Vote"
        assert refused(urls[duty], 'TRUNCATE "Vote"') == "permission denied for table Vote"
        assert refused(urls[duty], "CREATE SCHEMA s").startswith("permission denied for database")
    for statement in ('DELETE FROM "Vote"', 'UPDATE "Vote" SET id = id', 'INSERT INTO "Vote" DEFAULT VALUES'):
        assert refused(urls[Duty.VERIFY], statement) == "permission denied for table Vote"
    assert (
        refused(urls[Duty.VERIFY], "DELETE FROM odyssey_sync.publication") == "permission denied for table publication"
    )
    assert refused(urls[Duty.VERIFY], "CREATE TEMPORARY TABLE t (a int)").startswith("permission denied to create temp")
    assert refused(urls[Duty.APP], "SELECT * FROM odyssey_sync.publication").startswith("permission denied for schema")
    with psycopg.connect(urls[Duty.APP]) as application:
        application.execute('UPDATE "Vote" SET id = id')


def test_a_table_the_owner_makes_later_is_everybodys(every_place: Place) -> None:
    urls = every_place.urls("--app")
    run_postgres(urls[Duty.OWNER], "CREATE TABLE later (id serial, a int); INSERT INTO later (a) VALUES (1)")
    run_postgres(urls[Duty.APP], "INSERT INTO later (a) VALUES (2)")
    run_postgres(urls[Duty.SYNC], "UPDATE later SET a = a + 1")
    with psycopg.connect(urls[Duty.VERIFY]) as connection:
        assert connection.execute("SELECT a FROM later ORDER BY id").fetchall() == [(2,), (3,)]
    assert refused(urls[Duty.VERIFY], "SELECT nextval('later_id_seq')") == "permission denied for sequence later_id_seq"


def test_the_wrong_role_is_told_which_right_it_lacks(place: Place, source: Path, tmp_path: Path) -> None:
    urls = place.urls()
    with pytest.raises(ConfigurationError) as raised:
        run(request_for(tmp_path, source, urls[Duty.SYNC]))
    assert "lacks a right: it may not create tables in the schema public" in str(raised.value)
    assert run(request_for(tmp_path, source, urls[Duty.OWNER])).ok
    before = dump(place.server.uri_of(place.database))
    with pytest.raises(ConfigurationError) as raised:
        run(request_for(tmp_path, source, urls[Duty.VERIFY], applies_changes=True))
    assert raised.value.exit_status == 2
    assert f"it may not make temporary tables in the database {place.database}, and more (" in raised.value.message
    with pytest.raises(ConfigurationError, match=r"it lacks INSERT on AIUsageLog, .* and 32 more, and more \("):
        run(request_for(tmp_path, source, urls[Duty.VERIFY]))
    assert dump(place.server.uri_of(place.database)) == before


def test_without_the_first_run_the_syncer_is_told_that_the_ledger_is_missing(
    place: Place, source: Path, tmp_path: Path
) -> None:
    urls = place.urls()
    run_postgres(urls[Duty.OWNER], prisma_sql(5))
    with pytest.raises(ConfigurationError, match="it may not create tables in the schema odyssey_sync"):
        run(request_for(tmp_path, source, urls[Duty.SYNC], applies_changes=True))
    (finding,) = errors_of_preflight(tmp_path, source, urls[Duty.SYNC])
    assert finding.detail.startswith(
        "the PostgreSQL role may not create tables in the schema odyssey_sync; GRANT CREATE"
    )
    assert run(request_for(tmp_path, source, urls[Duty.OWNER], applies_changes=True)).ok
    outcome = run(request_for(tmp_path, source, urls[Duty.SYNC], applies_changes=True))
    assert set(statuses(outcome)) == {TableStatus.UNCHANGED}


def test_only_the_owner_may_bring_the_ledger_to_a_newer_version(place: Place, source: Path, tmp_path: Path) -> None:
    urls = place.urls()
    assert run(request_for(tmp_path, source, urls[Duty.OWNER])).ok
    ((newest,),) = place.ask("SELECT number FROM odyssey_sync.version")
    run_postgres(urls[Duty.OWNER], f"UPDATE odyssey_sync.version SET number = {int(str(newest)) - 1}")
    with pytest.raises(ConfigurationError, match=r"this program needs \d+, but the PostgreSQL role does not own"):
        run(request_for(tmp_path, source, urls[Duty.SYNC], applies_changes=True))


def test_preflight_runs_as_the_verifier_and_says_only_that_it_may_not_write(
    place: Place, source: Path, tmp_path: Path
) -> None:
    urls = place.urls()
    assert run(request_for(tmp_path, source, urls[Duty.OWNER])).ok
    before = dump(place.server.uri_of(place.database))
    assert {finding.kind for finding in errors_of_preflight(tmp_path, source, urls[Duty.VERIFY])} == {"missing_right"}
    assert errors_of_preflight(tmp_path, source, urls[Duty.SYNC]) == []
    assert dump(place.server.uri_of(place.database)) == before
