"""A sync as others see it: all of it or nothing, only what differs, nobody kept waiting, and never by accident."""

from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from odyssey_assets.errors import OdysseyError, RefusedError
from odyssey_assets.progress import Phase, Progress
from odyssey_assets.sync.outcome import TableStatus
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.plain_source import tables_of
from odyssey_assets_tests.statements import prisma_sql, run_postgres
from odyssey_assets_tests.sync.changes import FOLLOWING_USER_1
from odyssey_assets_tests.sync.dual_run import DualRun, places
from odyssey_assets_tests.sync.ordinary_role import OWNED_SQL, ROLE

EDITS = (
    """UPDATE "Vote" SET "decayedWeight" = 0.25 WHERE "id" < 'Vote-2'""",
    """DELETE FROM "CollaborationSession" WHERE "id" = 'CollaborationSession-3'""",
    """UPDATE "User" SET "id" = 'renamed' WHERE "id" = 'User-1'""",
    """INSERT INTO "Village" VALUES ('new', 'New', 1760000000000, 1760000000000)""",
)
CHANGED = frozenset({"Vote", "CollaborationSession", "CollaborationComment", "User", "Village", *FOLLOWING_USER_1})
"""The tables these edits change."""
WEAK_LOCKS = {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}


def test_a_sync_without_changes_writes_no_row(pair: DualRun) -> None:
    before = places(pair.uri)
    outcome = pair.sync()
    assert {table.status for table in outcome.tables} == {TableStatus.UNCHANGED}
    assert places(pair.uri) == before


def test_only_the_rows_that_differ_move(pair: DualRun) -> None:
    before = places(pair.uri)
    pair.change("""UPDATE "Vote" SET "decayedWeight" = 0.25 WHERE "id" = 'Vote-2'""",
                """DELETE FROM "Event" WHERE "id" = 'Event-0'""")  # fmt: skip
    pair.converge()
    after = places(pair.uri)
    lost = {table for table, row in before.keys() - after.keys()}
    assert (lost, len(before.keys() - after.keys()), len(after.keys() - before.keys())) == ({"Vote", "Event"}, 2, 1)


def test_nobody_sees_half_a_sync(pair: DualRun) -> None:
    pair.change(*EDITS)
    before, seen = dump(pair.uri), set()

    def look(progress: Progress) -> None:
        if progress.phase not in seen:
            seen.add(progress.phase)
            assert dump(pair.uri) == before

    assert pair.sync(look).ok
    assert {Phase.COMPARE, Phase.APPLY, Phase.PROOF, Phase.COMMIT} <= seen
    assert pair.differences() == []


@pytest.mark.parametrize("phase", [Phase.COMPARE, Phase.APPLY, Phase.PROOF, Phase.COMMIT])
def test_a_sync_that_breaks_off_leaves_nothing_and_the_next_one_converges(pair: DualRun, phase: Phase) -> None:
    pair = replace(pair, tables=CHANGED)
    pair.change(*EDITS)
    before = dump(pair.uri), places(pair.uri)

    def fail(progress: Progress) -> None:
        if progress.phase is phase:
            raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        pair.sync(fail)
    assert (dump(pair.uri), places(pair.uri)) == before
    assert list((pair.folder / "scratch").iterdir()) == []
    pair.converge()


def test_two_schemas_of_one_database_are_two_targets(pair: DualRun) -> None:
    other = DualRun(pair.folder, pair.source, pair.uri, schema="Other schema")
    owned = OWNED_SQL.format(schema=other.schema, role=ROLE)
    run_postgres(pair.uri, f"{prisma_sql(5, schema=other.schema)}; {owned}")
    assert other.sync().ok
    before = places(pair.uri)
    pair.change(*EDITS)
    other.converge()
    assert places(pair.uri) == before
    assert pair.differences() != []
    before = places(pair.uri, other.schema)
    pair.converge()
    assert places(pair.uri, other.schema) == before


def test_tables_that_were_emptied_in_postgresql_are_filled_again(pair: DualRun) -> None:
    run_postgres(pair.uri, 'TRUNCATE "Vote", "VerificationToken", "_SessionFacilitators", "CollaborationComment"')
    synced = pair.converge()
    assert {name: table.inserted for name, table in synced.items()} == {
        "Vote": 4, "VerificationToken": 4, "_SessionFacilitators": 4, "CollaborationComment": 4}  # fmt: skip
    run_postgres(pair.uri, "TRUNCATE " + ", ".join(f'"{table}"' for table in tables_of()))
    assert pair.sync().ok
    assert pair.differences() == []


def test_the_delete_breaker_gives_way_to_exactly_the_number_allowed(pair: DualRun) -> None:
    pair = replace(pair, tables=frozenset({"AuditLog", "Event"}))
    pair.change(*(f"""INSERT INTO "AuditLog" SELECT "id" || '.{number}', "userId", "action", "resourceId",
                      "resourceType", "metadata", "ipAddress", "userAgent", "createdAt" FROM "AuditLog"
                      WHERE "id" < 'AuditLog-4'""" for number in range(3)))  # fmt: skip
    pair.converge()
    (rows,) = [len(rows) for name, rows in dump(pair.uri).items() if name == "AuditLog"]
    assert rows == 4 * 2**3
    pair.change('DELETE FROM "AuditLog"')
    before = dump(pair.uri)
    for allowed in ({}, {"AuditLog": rows - 1}, {"Event": rows}):
        with pytest.raises(RefusedError) as raised:
            pair.sync(allowed_deletes=allowed)
        assert (raised.value.exit_status, raised.value.table) == (3, "AuditLog")
        assert f"--allow-deletes AuditLog={rows}" in raised.value.hint
        assert dump(pair.uri) == before
    assert pair.converge(allowed_deletes={"AuditLog": rows})["AuditLog"].deleted == rows


def test_a_second_sync_meanwhile_is_refused(pair: DualRun) -> None:
    pair = replace(pair, tables=CHANGED)
    pair.change(*EDITS)
    refused = []

    def try_another(progress: Progress) -> None:
        if progress.phase is Phase.PROOF and not refused:
            with pytest.raises(RefusedError, match="Another Odyssey run") as raised:
                pair.sync()
            refused.append(raised.value.exit_status)

    assert pair.sync(try_another).ok
    assert refused == [3]
    assert pair.differences() == []


def test_readers_and_writers_of_other_rows_go_on_meanwhile(pair: DualRun) -> None:
    pair.change(*EDITS)
    modes: dict[Phase, set[str]] = {}
    tables = list(tables_of())
    with (
        closing(psycopg.connect(pair.uri)) as reader,
        closing(psycopg.connect(pair.uri, autocommit=True, options="-c lock_timeout=1000")) as writer,
    ):
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SET LOCAL lock_timeout = 1000")
        counts_sql = "SELECT " + ", ".join(f'(SELECT count(*) FROM "{table}")' for table in tables)
        counts = reader.execute(counts_sql).fetchone()

        def go_on(progress: Progress) -> None:
            if progress.phase not in (Phase.APPLY, Phase.PROOF, Phase.COMMIT):
                return
            held = writer.execute(
                "SELECT DISTINCT mode FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "JOIN pg_class c ON c.oid = relation "
                "WHERE usename = %s AND c.relnamespace = 'public'::regnamespace",
                (ROLE,),
            ).fetchall()
            modes.setdefault(progress.phase, set()).update(mode for (mode,) in held)
            assert reader.execute(counts_sql).fetchone() == counts
            writer.execute("""UPDATE "User" SET "bio" = clock_timestamp()::text WHERE "id" = 'User-3'""")
            writer.execute("""INSERT INTO "Event" ("id", "type", "payload", "userId")
                              VALUES (clock_timestamp()::text, 'x', '{}', 'User-3')""")
            writer.execute("""DELETE FROM "Notification" WHERE "id" = 'Notification-3'""")

        assert pair.sync(go_on).ok
        reader.rollback()
    assert modes.keys() == {Phase.APPLY, Phase.PROOF, Phase.COMMIT}
    assert set.union(*modes.values()) == WEAK_LOCKS
    assert pair.differences() != []
    pair.converge(allowed_deletes={"Event": 1_000})


def test_a_row_that_someone_else_writes_meanwhile_stops_the_sync_whole(pair: DualRun) -> None:
    pair = replace(pair, tables=CHANGED)
    pair.change(*EDITS)
    done: list[dict[str, list[tuple[str | None, ...]]]] = []

    def write_the_same_row(progress: Progress) -> None:
        if progress.phase is Phase.APPLY and not done:
            run_postgres(pair.uri, """UPDATE "Vote" SET "weight" = 9 WHERE "id" = 'Vote-0'""")
            done.append(dump(pair.uri))

    with pytest.raises(OdysseyError, match="concurrent update"):
        pair.sync(write_the_same_row)
    assert dump(pair.uri) == done[0]
    pair.converge()
    assert differences(pair.source, pair.uri) == []
