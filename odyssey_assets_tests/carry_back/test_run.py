"""The whole way back against a real server, judged by the oracle."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from odyssey_assets.carry_back.changes import BATCH_ROWS
from odyssey_assets.carry_back.run import carry_back
from odyssey_assets.errors import EXIT_USAGE, OdysseyError
from odyssey_assets.sample.writer import DateForm, write_sample
from odyssey_assets_tests.carry_back.way_back import WayBack, cells_of, header_of, published, schema_of
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.plain_source import quoted, tables_of, write_database
from odyssey_assets_tests.statements import ask_sqlite, run_sqlite

EDITS = """
    INSERT INTO "User" SELECT (jsonb_populate_record(u,
        '{"id": "came", "email": "came@example.org", "employeeId": "came"}')).*
        FROM "User" u ORDER BY id LIMIT 1;
    UPDATE "User" SET "displayName" = 'é 👩 ' || id, "updatedAt" = '2026-01-02 03:04:05.678' WHERE id <> 'came';
    DELETE FROM "Vote" WHERE id = (SELECT min(id) FROM "Vote");
    UPDATE "Vote" SET "weight" = 0.1 + 0.2, "decayedWeight" = 5e-324;
    UPDATE "Feedback" SET "duplicateOfId" = id WHERE id = (SELECT min(id) FROM "Feedback");
    INSERT INTO "VerificationToken" VALUES ('who', 'a new token', '2026-05-05 05:05:05.005');
    DELETE FROM "_FeedbackToRoadmapItem" WHERE "A" = (SELECT min("A") FROM "_FeedbackToRoadmapItem")
"""


@pytest.mark.parametrize(
    ("version", "dates"),
    [
        (1, DateForm.INTEGER),
        (3, DateForm.ISO),
        (5, DateForm.INTEGER),
    ],
)
def test_what_was_written_to_postgresql_is_in_the_new_file(
    tmp_path: Path, database_uri: str, version: int, dates: DateForm
) -> None:
    source = write_sample(tmp_path / "odyssey.db", scale=0.05, version=version, dates=dates).path
    pair = published(tmp_path, source, database_uri)
    pair.edit(EDITS)
    carried = pair.carry_back()
    assert carried.sha256 == hashlib.sha256(pair.new_file.read_bytes()).hexdigest()
    by_name = {table.name: table for table in carried.tables}
    users, votes = by_name["User"], by_name["Vote"]
    assert (users.inserted, users.updated, users.deleted) == (1, users.rows - 1, 0)
    assert (votes.inserted, votes.updated, votes.deleted) == (0, votes.rows, 1)
    assert carried.stayed == ()
    assert schema_of(pair.new_file) == schema_of(pair.base)
    assert header_of(pair.new_file) == header_of(pair.base)
    migrations = 'SELECT * FROM "_prisma_migrations"'
    assert ask_sqlite(pair.new_file, migrations) == ask_sqlite(pair.base, migrations) != []
    # Tables that nobody wrote to are what they were, to the last byte of every date.
    for name in tables_of(version).keys() - {
        "User", "Vote", "Feedback", "VerificationToken", "_FeedbackToRoadmapItem"
    }:  # fmt: skip
        assert cells_of(pair.new_file, name) == cells_of(pair.base, name), name


@pytest.mark.parametrize(
    ("dates", "stored"),
    [(DateForm.INTEGER, ("integer", 1767323045678)), (DateForm.ISO, ("text", b"2026-01-02T03:04:05.678+00:00"))],
)
def test_dates_are_written_as_the_application_writes_them(
    tmp_path: Path, database_uri: str, dates: DateForm, stored: tuple[str, object]
) -> None:
    source = write_sample(tmp_path / "odyssey.db", scale=0.05, dates=dates).path
    pair = published(tmp_path, source, database_uri)
    pair.edit("""UPDATE "User" SET "updatedAt" = '2026-01-02 03:04:05.678' """)
    pair.carry_back()
    before, after = cells_of(pair.base, "User"), cells_of(pair.new_file, "User")
    for rowid, cells in after.items():
        assert cells["updatedAt"] == stored
        assert {name for name in cells if cells[name] != before[rowid][name]} == {"updatedAt"}


def test_nothing_written_means_the_same_content(pair: WayBack) -> None:
    carried = pair.carry_back()
    assert {(table.inserted, table.updated, table.deleted) for table in carried.tables} == {(0, 0, 0)}
    for name in tables_of():
        assert cells_of(pair.new_file, name) == cells_of(pair.base, name)


def test_the_oracle_sees_a_file_that_is_not_carried_back(pair: WayBack) -> None:
    pair.edit("""UPDATE "User" SET "displayName" = 'x' WHERE id = 'User-1'""")
    assert differences(pair.base, pair.uri) != []


def test_unique_values_and_keys_change_hands(pair: WayBack) -> None:
    pair.edit("""
        UPDATE "User" SET email = 'passing' WHERE id = 'User-0';
        UPDATE "User" SET email = 'email 0' WHERE id = 'User-1';
        UPDATE "User" SET email = 'email 1' WHERE id = 'User-0';
        DELETE FROM "Vote" WHERE id = 'Vote-2';
        INSERT INTO "Vote" SELECT (jsonb_populate_record(v, '{"id": "Vote-again", "userId": "User-2",
            "feedbackId": "Feedback-2"}')).* FROM "Vote" v WHERE id = 'Vote-1';
        UPDATE "VerificationToken" SET token = 'passing' WHERE token = 'token 0';
        UPDATE "VerificationToken" SET token = 'token 0' WHERE token = 'token 1';
        UPDATE "VerificationToken" SET token = 'token 1' WHERE token = 'passing';
        UPDATE "_FeedbackToRoadmapItem" SET "B" = 'RoadmapItem-3' WHERE "A" = 'Feedback-1'
    """)
    pair.carry_back()


def test_parents_go_with_their_children_and_rings_stay(pair: WayBack) -> None:
    pair.edit("""
        DELETE FROM "Feedback" WHERE id = 'Feedback-3';
        UPDATE "Feedback" SET "duplicateOfId" = 'Feedback-2' WHERE id = 'Feedback-1';
        UPDATE "Feedback" SET "duplicateOfId" = 'Feedback-1' WHERE id = 'Feedback-2'
    """)
    carried = pair.carry_back()
    assert sum(table.deleted for table in carried.tables) == 3


def test_every_row_goes_and_new_ones_come(pair: WayBack) -> None:
    pair.edit('DELETE FROM "AuditLog"; DELETE FROM "Vote"')
    pair.carry_back()
    assert cells_of(pair.new_file, "AuditLog") == {}
    pair.new_file.unlink()
    pair.edit("""INSERT INTO "Vote" (id, "userId", "feedbackId") SELECT 'v', 'User-0', 'Feedback-0'""")
    pair.carry_back()


def test_a_target_of_other_types_is_carried_back(tmp_path: Path, database_uri: str) -> None:
    source = write_sample(tmp_path / "odyssey.db", scale=0.05, dates=DateForm.ISO).path
    pair = published(tmp_path, source, database_uri, json_as_jsonb=True)
    pair.edit("""
        ALTER TABLE "User" ALTER "updatedAt" TYPE timestamptz(3) USING "updatedAt" AT TIME ZONE 'UTC';
        SET LOCAL timezone = 'Asia/Kathmandu';
        UPDATE "User" SET "updatedAt" = '2026-01-02 03:04:05.678+01';
        UPDATE "AuditLog" SET metadata = '{"b": [1.50, "é"], "a": null}' WHERE id = (SELECT min(id) FROM "AuditLog")
    """)
    pair.carry_back()
    spelled = [cells["metadata"] for cells in cells_of(pair.new_file, "AuditLog").values()]
    assert ("text", '{"a": null, "b": [1.50, "é"]}'.encode()) in spelled
    assert {cells["updatedAt"] for cells in cells_of(pair.new_file, "User").values()} == {
        ("text", b"2026-01-02T02:04:05.678+00:00")
    }


def test_a_base_with_a_write_ahead_log_keeps_its_mode(tmp_path: Path, database_uri: str) -> None:
    source = write_database(tmp_path / "odyssey.db")
    run_sqlite(source, "PRAGMA journal_mode = WAL")
    pair = published(tmp_path, source, database_uri)
    pair.edit("""UPDATE "User" SET "displayName" = 'x'""")
    pair.carry_back()
    assert header_of(pair.new_file) == header_of(pair.base)
    assert header_of(pair.new_file)[1] == b"\x02\x02"


def test_other_page_sizes_columns_and_tables_of_the_base_stay(tmp_path: Path, database_uri: str) -> None:
    source = tmp_path / "odyssey.db"
    run_sqlite(source, "PRAGMA page_size = 1024", "CREATE TABLE Own (x)", "INSERT INTO Own VALUES (1)")
    write_database(source, reorder=-1)
    run_sqlite(
        source,
        'ALTER TABLE "User" ADD COLUMN "own" TEXT DEFAULT \'kept\'',
        'UPDATE "User" SET "own" = \'as it was\'',
        "CREATE TRIGGER noted AFTER UPDATE ON \"User\" BEGIN INSERT INTO Own VALUES ('never'); END",
        "CREATE TRIGGER odyssey_fence_User BEFORE UPDATE ON \"User\" BEGIN SELECT raise(ABORT, 'sealed'); END",
    )
    pair = published(tmp_path, source, database_uri, ignore_unknown=frozenset({"Own", "User.own"}))
    pair.edit("""UPDATE "User" SET "displayName" = 'x' WHERE id = 'User-1'""")
    with carry_back(pair.request()) as carried:
        pass
    assert carried.stayed == ("Own",)
    assert header_of(pair.new_file) == header_of(pair.base)
    assert ask_sqlite(pair.new_file, "SELECT x FROM Own") == [(1,)]
    assert ask_sqlite(pair.new_file, 'SELECT "own", "displayName" FROM "User" ORDER BY id') == [
        ("as it was", None),
        ("as it was", "x"),
    ]
    is_seal = "name LIKE 'odyssey_fence%'"
    assert ask_sqlite(pair.new_file, f"SELECT name FROM sqlite_schema WHERE {is_seal}") == []
    assert [each for each in schema_of(pair.base) if each[1] != "odyssey_fence_User"] == schema_of(pair.new_file)


def test_writers_wait_until_the_block_ends(pair: WayBack) -> None:
    with psycopg.connect(pair.uri, autocommit=True) as writer:
        writer.execute("SET lock_timeout = '50ms'")
        with carry_back(pair.request()) as carried:
            carried.require_locks_held()
            assert pair.new_file.exists()
            for name in tables_of():
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    writer.execute(f"DELETE FROM {quoted(name)}")
            assert writer.execute('SELECT count(*) FROM "User"').fetchone() == (4,)
        writer.execute("""UPDATE "User" SET "displayName" = 'x'""")


def carry_back_and_lose_the_locks(pair: WayBack) -> None:
    with carry_back(pair.request()) as carried:
        pair.edit("""
            SELECT pg_terminate_backend(pid) FROM pg_locks
            WHERE mode = 'ShareLock' AND relation = '"User"'::regclass AND pid <> pg_backend_pid()
        """)
        carried.require_locks_held()


def test_lost_locks_are_told(pair: WayBack) -> None:
    with pytest.raises(OdysseyError):
        carry_back_and_lose_the_locks(pair)


def test_the_proof_can_be_kept_as_json(pair: WayBack) -> None:
    pair.edit("""UPDATE "User" SET "displayName" = 'x' WHERE id = 'User-1'""")
    document = json.loads(json.dumps(pair.carry_back().document()))
    (users,) = [table for table in document["tables"] if table["name"] == "User"]
    assert users == {
        "name": "User", "rows": 4, "held_rows": 0, "inserted": 0, "updated": 1, "deleted": 0, "differences": 0
    }  # fmt: skip
    assert (document["rows"], document["differences"]) == (4 * len(tables_of()), 0)


def test_the_new_file_stays_when_the_caller_fails(pair: WayBack) -> None:
    with pytest.raises(ZeroDivisionError), carry_back(pair.request()):
        raise ZeroDivisionError
    assert pair.new_file.exists()


def test_what_the_caller_writes_stands_once_committed(pair: WayBack) -> None:
    with carry_back(pair.request()) as carried, carried.connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute("CREATE TABLE odyssey_sync.truth AS SELECT 'sqlite' AS side")
        carried.connection.commit()
    with psycopg.connect(pair.uri) as connection:
        assert connection.execute("SELECT side FROM odyssey_sync.truth").fetchall() == [("sqlite",)]


def test_a_file_that_exists_is_never_written_over(pair: WayBack) -> None:
    pair.new_file.parent.mkdir()
    pair.new_file.write_text("precious")
    assert pair.refused().exit_status == EXIT_USAGE
    assert pair.new_file.read_text() == "precious"


def test_a_live_file_is_no_base(pair: WayBack) -> None:
    live = pair.folder / "live.db"
    with closing(sqlite3.connect(live, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE T (x)")
        refusal = pair.refused(base=live)
    assert (refusal.exit_status, "live database" in refusal.message) == (EXIT_USAGE, True)


MANY_EVENTS = """
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 10000)
    INSERT INTO "Event" ("id", "type", "payload", "createdAt")
    SELECT 'many-' || n, 'x', json_object('padding', hex(randomblob(50))), 1760000000000 + n FROM number
"""


def test_only_rows_that_differ_are_written(tmp_path: Path, database_uri: str) -> None:
    """The cost of writing follows the change: of all pages those of the changed rows are written."""
    source = write_database(tmp_path / "odyssey.db")
    run_sqlite(source, MANY_EVENTS)
    pair = published(tmp_path, source, database_uri)
    pair.edit("""UPDATE "Event" SET "type" = 'y' WHERE id IN ('many-1', 'many-5000')""")
    pair.carry_back()
    before, after = pair.base.read_bytes(), pair.new_file.read_bytes()
    pages = range(0, len(before), 4096)
    changed = [at for at in pages if before[at : at + 4096] != after[at : at + 4096]]
    assert len(after) == len(before)
    assert 2 <= len(changed) <= 12 < len(pages) / 20


def test_many_changes_go_in_batches(tmp_path: Path, database_uri: str) -> None:
    source = write_database(tmp_path / "odyssey.db")
    run_sqlite(source, MANY_EVENTS)
    pair = published(tmp_path, source, database_uri)
    pair.edit("""
        DELETE FROM "Event" WHERE id LIKE 'many-1%';
        UPDATE "Event" SET "createdAt" = '2026-01-02 03:04:05.678';
        INSERT INTO "Event" (id, type) SELECT 'more-' || n, 'many' FROM generate_series(1, 10000) n
    """)
    (events,) = [table for table in pair.carry_back().tables if table.name == "Event"]
    assert (events.inserted, events.updated, events.deleted) == (10_000, 8_890, 1_112)
    assert events.updated > 2 * BATCH_ROWS
