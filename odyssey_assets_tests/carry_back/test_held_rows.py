"""Rows that were held back never left SQLite: the way back keeps them, whatever their rowids are now."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from odyssey_assets.carry_back.run import carry_back
from odyssey_assets.errors import EXIT_INTEGRITY, EXIT_REFUSED, EXIT_USAGE
from odyssey_assets.sync.outcome import Policy
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.carry_back.way_back import WayBack, cells_of, published
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.plain_source import TextBytes, plant, write_database
from odyssey_assets_tests.statements import ask_postgres, ask_sqlite, run_sqlite
from odyssey_assets_tests.sync.dual_run import Template, copied


@pytest.fixture(scope="module")
def held_template(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """Some rows are held back: a bad date, text that is not UTF-8, and with a bad user all its children."""
    folder = tmp_path_factory.mktemp("held")
    source = write_database(folder / "odyssey.db", rows=5)
    plant(source, "Notification", 2, createdAt="soon")
    plant(source, "Event", 3, payload=TextBytes(b"\xff\x00"), type="x")
    plant(source, "User", 5, updatedAt=0.5)
    plant(source, "AuditLog", 1, metadata=b"\x01")
    with fresh_database(server) as uri:
        published(folder, source, uri, policy=Policy.QUARANTINE)
        assert ask_postgres(uri, "SELECT count(DISTINCT table_name) FROM odyssey_sync.quarantine") > [(10,)]
        yield Template(source, urlsplit(uri).path.strip("/"), server)


@pytest.fixture
def held(held_template: Template, tmp_path: Path) -> Iterator[WayBack]:
    """A copy of it."""
    with copied(held_template, tmp_path) as copy:
        yield WayBack(tmp_path, copy.uri, copy.uri)


def carried_without(pair: WayBack, base: Path | None = None) -> list[str]:
    """Carry back; returns what the oracle sees, which must be the held rows alone."""
    with carry_back(pair.request(base=base or pair.base)):
        pass
    return differences(pair.new_file, pair.uri, limit=200)


def test_held_rows_stay_and_all_else_is_carried(held: WayBack) -> None:
    held.edit("""UPDATE "Notification" SET "title" = 'x'; DELETE FROM "Event" WHERE id = 'Event-0'""")
    (count,) = ask_postgres(
        held.uri, "SELECT count(*) FROM (SELECT DISTINCT table_name, source_rowid FROM odyssey_sync.quarantine) q"
    )
    found = carried_without(held)
    assert len(found) == count[0]
    assert all("only in SQLite" in each or "in SQLite, 0 in PostgreSQL" in each for each in found)
    for name, rowid in (("Notification", 2), ("Event", 3), ("User", 5), ("Vote", 5), ("AuditLog", 1)):
        assert cells_of(held.new_file, name)[rowid] == cells_of(held.base, name)[rowid]


def test_held_rows_are_found_by_their_bytes_where_rowids_moved(held: WayBack) -> None:
    moved = held.folder / "moved.db"
    moved.write_bytes(held.base.read_bytes())
    with closing(sqlite3.connect(moved)) as connection, connection:
        for name in ("Notification", "Event", "User", "AuditLog"):
            connection.execute(f'UPDATE "{name}" SET rowid = rowid + 1000')
    found = carried_without(held, moved)
    assert all("only in SQLite" in each or "in SQLite, 0 in PostgreSQL" in each for each in found)
    assert cells_of(held.new_file, "Notification")[1002] == cells_of(held.base, "Notification")[2]


def test_a_base_without_a_held_row_is_refused(held: WayBack) -> None:
    other = held.folder / "other.db"
    other.write_bytes(held.base.read_bytes())
    run_sqlite(other, """UPDATE "Notification" SET "title" = 'edited meanwhile' WHERE rowid = 2""")
    refusal = held.refused(base=other)
    assert (refusal.exit_status, refusal.table) == (EXIT_REFUSED, "Notification")


def test_a_quarantine_that_somebody_emptied_is_refused(held: WayBack) -> None:
    held.edit("DELETE FROM odyssey_sync.quarantine WHERE table_name = 'Event'")
    refusal = held.refused()
    assert (refusal.exit_status, refusal.table) == (EXIT_INTEGRITY, "Event")


def test_a_lost_ledger_is_refused(held: WayBack) -> None:
    held.edit("DROP SCHEMA odyssey_sync CASCADE")
    assert held.refused().exit_status == EXIT_REFUSED


def test_bookkeeping_that_the_role_may_not_read_is_refused(pair: WayBack) -> None:
    pair.edit("REVOKE ALL ON SCHEMA odyssey_sync FROM table_owner; ALTER SCHEMA odyssey_sync OWNER TO CURRENT_USER")
    assert pair.refused().exit_status == EXIT_USAGE


def test_a_held_row_whose_parent_went_is_kept_and_told(held: WayBack) -> None:
    """SQLite itself would have deleted it with the parent; whether it still counts is for a person to say."""
    held.edit("""
        DELETE FROM "Vote" WHERE "userId" = 'User-1'; DELETE FROM "Feedback" WHERE "authorId" = 'User-1';
        DELETE FROM "Panel" WHERE "createdById" = 'User-1'; DELETE FROM "Questionnaire" WHERE "createdById" = 'User-1';
        DELETE FROM "RoadmapItem" WHERE "createdById" = 'User-1'; DELETE FROM "User" WHERE id = 'User-1'
    """)
    with carry_back(held.request()) as carried:
        pass
    assert [(each.table, each.rowid, each.parent) for each in carried.broken_references] == [
        ("Notification", 2, "User")
    ]


def test_a_value_that_a_held_row_has_too_is_named(held: WayBack) -> None:
    (email,) = ask_sqlite(held.base, 'SELECT "email" FROM "User" WHERE rowid = 5')
    held.edit(f"""UPDATE "User" SET "email" = '{email[0]}' WHERE id = 'User-0'""")
    refusal = held.refused()
    assert (refusal.exit_status, refusal.table, "User.email" in refusal.message) == (EXIT_INTEGRITY, "User", True)


def test_another_database_is_no_base(tmp_path: Path, pair: WayBack) -> None:
    pair.edit("UPDATE odyssey_sync.publication SET source_identity = 'another'")
    other = tmp_path / "other.db"
    other.write_bytes(pair.base.read_bytes())
    run_sqlite(
        other,
        """CREATE TABLE "_prisma_migrations" ("id" TEXT, "migration_name" TEXT, "finished_at", "rolled_back_at",
            "started_at")""",
        f"INSERT INTO \"_prisma_migrations\" VALUES ('{json.dumps('x')}', 'm', 1, NULL, 1)",
    )
    assert pair.refused(base=other).exit_status == EXIT_REFUSED
