"""Somebody commits to PostgreSQL while a sync is at work: the same row stops the sync, another row is the next one's.

A sync sees PostgreSQL as it was when its transaction began and holds no lock that would keep writers out.
"""

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from odyssey_assets.errors import EXIT_INTEGRITY, EXIT_REFUSED, IntegrityError, RefusedError
from odyssey_assets.progress import OnProgress, Phase, Progress
from odyssey_assets.sync.outcome import Outcome
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.statements import ask_postgres, run_postgres
from odyssey_assets_tests.sync.dual_run import DualRun

RENAME = """UPDATE "Village" SET "name" = 'renamed' WHERE "id" = 'Village-1'"""
WAYS: dict[str, Callable[[DualRun], None]] = {
    "the quick way": lambda _: None,
    "reading in full": DualRun.forget_snapshots,
}


@pytest.fixture
def pair(pair: DualRun) -> DualRun:
    """Synced in the tables that somebody writes to, and what follows them by cascade."""
    return replace(pair, tables=frozenset({"Village", "User", "Feedback"}))


def committing(uri: str, moment: Phase, statement: str) -> OnProgress:
    """Somebody who runs a statement and commits it when a phase begins, once."""
    done: list[str] = []

    def write(progress: Progress) -> None:
        if progress.phase is moment and not done:
            run_postgres(uri, statement)
            done.append(statement)

    return write


def tampered_rows(outcome: Outcome) -> set[tuple[object, str | None]]:
    """Keys and columns that the check names, over all tables."""
    checks = [check for table in outcome.tables for check in table.checks if check.name == "tampering"]
    return {(each.key["id"], each.column) for check in checks if not check.passed for each in check.listed}


@pytest.mark.parametrize(
    ("moment", "way"),
    [
        (Phase.COMPARE, "reading in full"),
        (Phase.APPLY, "reading in full"),
        (Phase.APPLY, "the quick way"),
        (Phase.COMMIT, "the quick way"),
    ],
)
def test_another_row_stays_as_they_wrote_it_until_the_next_sync_names_and_repairs_it(
    pair: DualRun, moment: Phase, way: str
) -> None:
    pair.change(RENAME)
    WAYS[way](pair)
    other = """UPDATE "Village" SET "name" = 'by somebody' WHERE "id" = 'Village-2'"""
    outcome = pair.sync(committing(pair.uri, moment, other))
    assert (outcome.problem, tampered_rows(outcome)) == (None, set())
    assert ask_postgres(pair.uri, 'SELECT "name" FROM "Village" ORDER BY "id" OFFSET 1 LIMIT 2') == [
        ("renamed",),
        ("by somebody",),
    ]
    again = pair.sync()
    assert (again.problem, tampered_rows(again)) == (None, {("Village-2", "name")})
    assert pair.differences() == []


def test_a_row_of_their_own_stays_until_the_next_sync_too(pair: DualRun) -> None:
    pair.change(RENAME)
    own = """INSERT INTO "Village" SELECT 'Village-new', 'new', "createdAt", "updatedAt" FROM "Village" LIMIT 1"""
    assert pair.sync(committing(pair.uri, Phase.APPLY, own)).problem is None
    again = pair.sync()
    assert (again.problem, tampered_rows(again)) == (None, {("Village-new", None)})
    assert pair.differences() == []


SAME_ROW = {
    "changed": """UPDATE "Village" SET "name" = 'by somebody' WHERE "id" = 'Village-1'""",
    "changed to what it should be": RENAME,
    "changed and changed back": f"""{RENAME}; UPDATE "Village" SET "name" = 'name 1' WHERE "id" = 'Village-1'""",
    "deleted": """DELETE FROM "Village" WHERE "id" = 'Village-1'""",
}


@pytest.mark.parametrize(
    ("what", "way"), [*((what, "the quick way") for what in SAME_ROW), ("changed", "reading in full")]
)
def test_the_same_row_refuses_the_sync_which_changes_nothing_and_the_next_one_converges(
    pair: DualRun, what: str, way: str
) -> None:
    pair.change(RENAME)
    WAYS[way](pair)
    found: list[object] = []

    def write(progress: Progress) -> None:
        if progress.phase is Phase.APPLY and not found:
            run_postgres(pair.uri, SAME_ROW[what])
            found.append(dump(pair.uri))

    with pytest.raises(RefusedError, match="changed the same rows at the same time") as refused:
        pair.sync(write)
    assert refused.value.exit_status == EXIT_REFUSED
    assert [dump(pair.uri)] == found
    assert (pair.sync().problem, pair.differences()) == (None, [])


def test_a_unique_value_that_they_took_meanwhile_is_refused_by_postgresql_and_comes_right(pair: DualRun) -> None:
    pair.change("""UPDATE "User" SET "email" = 'taken' WHERE "id" = 'User-1'""")
    taken = """UPDATE "User" SET "email" = 'taken' WHERE "id" = 'User-2'"""
    with pytest.raises(IntegrityError, match="User_email_key") as refused:
        pair.sync(committing(pair.uri, Phase.APPLY, taken))
    assert refused.value.exit_status == EXIT_INTEGRITY
    again = pair.sync()
    assert (again.problem, tampered_rows(again)) == (None, {("User-2", "email")})
    assert pair.differences() == []


def test_the_writer_who_comes_second_waits_for_the_commit_and_is_the_next_sync_s_to_repair(pair: DualRun) -> None:
    pair.change(RENAME)
    with psycopg.connect(pair.uri, autocommit=True) as writer:

        def write(progress: Progress) -> None:
            if progress.phase is Phase.PROOF:
                writer.execute("SET lock_timeout = '100ms'")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    writer.execute(SAME_ROW["changed"])

        assert pair.sync(write).problem is None
        writer.execute(SAME_ROW["changed"])
    again = pair.sync()
    assert (again.problem, tampered_rows(again)) == (None, {("Village-1", "name")})
    assert pair.differences() == []
