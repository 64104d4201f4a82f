"""Telling what the source did from what somebody else did to PostgreSQL: classed, named, repaired or refused."""

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from odyssey_assets.compare.checks import CheckResult
from odyssey_assets.errors import EXIT_REFUSED, RefusedError
from odyssey_assets.findings import Severity
from odyssey_assets.sync.bookkeeping import UPGRADES
from odyssey_assets.sync.outcome import OnTamper, Outcome
from odyssey_assets.sync.run import run
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.statements import ask_postgres, run_postgres
from odyssey_assets_tests.sync.dual_run import DualRun
from odyssey_assets_tests.sync.older_bookkeeping import bring_back
from odyssey_assets_tests.sync.ordinary_role import as_role
from odyssey_assets_tests.sync.requests import ALL_TABLES, NONE, failures, request_for

SOURCE_EDIT = """UPDATE "Badge" SET "name" = 'by the application' WHERE "id" = 'Badge-1'"""
TARGET_EDIT = """UPDATE "Badge" SET "name" = 'by somebody' WHERE "id" = 'Badge-2'"""


@pytest.fixture
def pair(pair: DualRun) -> DualRun:
    """Synced in a few tables; the first test of a tampered row syncs all of them."""
    return replace(pair, tables=frozenset({"Badge", "UserBadge", "Village", "Vote"}))


def verdict(outcome: Outcome, table: str = "Badge") -> CheckResult:
    assert outcome.problem is None
    (found,) = (
        check for each in outcome.tables if each.name == table for check in each.checks if check.name == "tampering"
    )
    return found


def failed_tables(outcome: Outcome) -> set[str]:
    return {table.name for table in outcome.tables if not verdict(outcome, table.name).passed}


def test_nothing_and_lag_are_no_tampering(pair: DualRun) -> None:
    assert failed_tables(pair.sync()) == set()
    pair.change(SOURCE_EDIT)
    outcome = pair.sync()
    assert failed_tables(outcome) == set()
    assert "nobody changed it since publication" in verdict(outcome).detail


def test_every_tampered_row_is_named_with_the_transaction_and_repaired(pair: DualRun) -> None:
    with psycopg.connect(pair.uri) as intruder:
        intruder.execute(TARGET_EDIT)
        intruder.execute("""INSERT INTO "Badge" SELECT 'Badge-new', 'new key', name, description, tier, category,
            "iconUrl", requirement, points, "createdAt", "updatedAt" FROM "Badge" WHERE id = 'Badge-0'""")
        (writer,) = intruder.execute("SELECT pg_current_xact_id()::text").fetchone() or ("",)
    outcome = pair.sync(publish=ALL_TABLES)
    found = verdict(outcome)
    assert failed_tables(outcome) == {"Badge"}
    assert (found.passed, found.severity, found.differences) == (False, Severity.WARNING, 2)
    assert {(each.key["id"], each.column, each.kind.value) for each in found.listed} == {
        ("Badge-2", "name", "changed"), ("Badge-new", None, "extra")}  # fmt: skip
    assert all(each.note.startswith(f"transaction {writer}") for each in found.listed)
    assert "0 rows deleted, 1 inserted, 1 updated" in found.detail
    assert pair.differences() == []
    assert failed_tables(pair.sync()) == set()


def test_a_row_deleted_in_postgresql_comes_back_and_is_named(pair: DualRun) -> None:
    run_postgres(pair.uri, """DELETE FROM "Badge" WHERE id = 'Badge-3'""")
    found = verdict(pair.sync())
    assert ("Badge-3", "missing") in {(each.key["id"], each.kind.value) for each in found.listed}
    assert pair.differences() == []


def test_when_both_sides_moved_only_the_tampered_row_counts(pair: DualRun) -> None:
    pair.change(SOURCE_EDIT)
    run_postgres(pair.uri, TARGET_EDIT)
    outcome = pair.sync()
    found = verdict(outcome)
    assert (found.passed, found.differences) == (False, 1)
    assert [each.key["id"] for each in found.listed] == ["Badge-2"]
    assert [table.updated for table in outcome.tables if table.name == "Badge"] == [2]
    assert pair.differences() == []


@pytest.mark.parametrize("loss", ["gone", "cut short", "damaged"])
def test_without_the_published_snapshot_both_cannot_be_told_apart(pair: DualRun, loss: str) -> None:
    pair.change(SOURCE_EDIT)
    run_postgres(pair.uri, TARGET_EDIT)
    for snapshot in (pair.folder / "snapshots").glob("snapshot-*.db"):
        if loss == "gone":
            snapshot.unlink()
        elif loss == "cut short":
            snapshot.write_bytes(snapshot.read_bytes()[:8192])
        else:
            content = snapshot.read_bytes()
            snapshot.write_bytes(content[:8192] + bytes(len(content) - 8192))
    found = verdict(pair.sync())
    assert (found.passed, "cannot be told apart" in found.detail) == (False, True)
    assert pair.differences() == []


def test_a_lost_ledger_is_said_and_converges_all_the_same(pair: DualRun) -> None:
    run_postgres(pair.uri, f"TRUNCATE odyssey_sync.publication, odyssey_sync.published_table; {TARGET_EDIT}")
    outcome = pair.sync()
    found = verdict(outcome)
    assert (found.passed, "has no entry in the ledger" in found.detail) == (False, True)
    assert pair.differences() == []
    assert failed_tables(pair.sync()) == set()


def test_a_change_that_was_taken_back_is_none(pair: DualRun) -> None:
    run_postgres(pair.uri, TARGET_EDIT)
    run_postgres(pair.uri, """UPDATE "Badge" SET "name" = 'name 2' WHERE "id" = 'Badge-2'""")
    assert failed_tables(pair.sync()) == set()


def test_asked_to_stop_it_refuses_names_the_tables_and_changes_nothing(pair: DualRun) -> None:
    pair.change(SOURCE_EDIT)
    run_postgres(pair.uri, f"""{TARGET_EDIT}; UPDATE "Village" SET "name" = 'by somebody'""")
    before = dump(pair.uri)
    with pytest.raises(RefusedError, match=r"Badge, Village") as refused:
        pair.sync(on_tamper=OnTamper.STOP)
    assert refused.value.exit_status == EXIT_REFUSED
    assert dump(pair.uri) == before
    pair.sync(on_tamper=OnTamper.REPAIR)
    assert pair.differences() == []
    assert pair.sync(on_tamper=OnTamper.STOP).problem is None


def test_what_postgresql_takes_for_equal_is_tampering_too_and_is_put_right(pair: DualRun) -> None:
    pair.change("""UPDATE "Vote" SET "decayedWeight" = 0.0 WHERE "id" = 'Vote-1'""")
    pair.converge()
    run_postgres(pair.uri, """UPDATE "Vote" SET "decayedWeight" = '-0' WHERE "id" = 'Vote-1'""")
    found = verdict(pair.sync(), "Vote")
    assert [(each.key["id"], each.column) for each in found.listed] == [("Vote-1", "decayedWeight")]
    assert pair.differences() == []


@pytest.mark.parametrize("type_sql", ["json", "point", "aclitem", "numeric"])
def test_a_column_of_somebody_else_s_is_watched_whatever_its_type(pair: DualRun, type_sql: str) -> None:
    values = {"json": "'{}'", "point": "'(0,0)'", "aclitem": "makeaclitem(0, 10, 'SELECT', false)", "numeric": "1.00"}
    run_postgres(pair.uri, f'ALTER TABLE "Badge" ADD COLUMN extra {type_sql}')
    pair.sync()
    assert failed_tables(pair.sync()) == set()
    run_postgres(pair.uri, f"""UPDATE "Badge" SET extra = {values[type_sql]} WHERE id = 'Badge-1'""")
    found = verdict(pair.sync())
    assert (found.passed, "outside the columns that are carried" in found.detail) == (False, True)
    assert failed_tables(pair.sync()) == set()


OTHER_DIGESTS: dict[str, Callable[[str], None]] = {
    "an earlier version of this project": lambda uri: bring_back(uri, 3),
    "another method": lambda uri: run_postgres(
        uri, "UPDATE odyssey_sync.published_table SET target_method = 'other', target_digest = '1'"
    ),
    "another server version": lambda uri: run_postgres(
        uri, "UPDATE odyssey_sync.published_table SET server_version = 1, target_digest = '1'"
    ),
}
"""Ways to a ledger whose digests cannot be compared with today's."""


@pytest.mark.parametrize("made_by", OTHER_DIGESTS)
def test_a_digest_made_another_way_leads_to_one_full_reading_and_to_no_alarm(pair: DualRun, made_by: str) -> None:
    pair.change(SOURCE_EDIT)
    OTHER_DIGESTS[made_by](pair.uri)
    assert (
        failures(run(request_for(pair.folder, pair.source, as_role(pair.uri), publish=NONE, verify=pair.tables))) == {}
    )
    outcome = pair.sync()
    assert failed_tables(outcome) == set()
    assert {table.comparison.basis for table in outcome.tables if table.comparison} == {""}
    assert "every carried row was read and is as in publication 1" in verdict(outcome).detail
    assert pair.differences() == []
    again = pair.sync()
    assert failed_tables(again) == set()
    assert "" not in {table.comparison.basis for table in again.tables if table.comparison}
    assert ask_postgres(pair.uri, "SELECT number FROM odyssey_sync.version") == [(len(UPGRADES),)]


@pytest.mark.parametrize("made_by", OTHER_DIGESTS)
@pytest.mark.parametrize("has_lag", [True, False])
def test_tampering_is_found_without_a_digest_to_compare(pair: DualRun, made_by: str, has_lag: bool) -> None:
    if has_lag:
        pair.change(SOURCE_EDIT)
    OTHER_DIGESTS[made_by](pair.uri)
    run_postgres(pair.uri, TARGET_EDIT)
    outcome = pair.sync()
    found = verdict(outcome)
    assert failed_tables(outcome) == {"Badge"}
    assert ([each.key["id"] for each in found.listed], found.differences) == (["Badge-2"], 1)
    assert pair.differences() == []


def test_with_neither_digest_nor_snapshot_nobody_can_tell_and_it_is_said(pair: DualRun) -> None:
    pair.change(SOURCE_EDIT)
    OTHER_DIGESTS["another method"](pair.uri)
    pair.forget_snapshots()
    outcome = pair.sync()
    # Tables of which SQLite holds what was published are compared with just that.
    assert failed_tables(outcome) == {"Badge"}
    assert "its snapshot is gone, so nobody can tell" in verdict(outcome).detail
    assert pair.differences() == []
