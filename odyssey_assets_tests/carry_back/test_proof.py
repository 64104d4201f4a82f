"""The proof does not believe the writer: whatever is wrong with the new file is seen, and the file is gone."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.carry_back import run as steps
from odyssey_assets.carry_back.rewrite import rewrite
from odyssey_assets.errors import EXIT_INTEGRITY, OdysseyError
from odyssey_assets_tests.carry_back.way_back import WayBack


def refusal_after(pair: WayBack, monkeypatch: pytest.MonkeyPatch, *statements: str) -> OdysseyError:
    """What is said of a file into which the writer wrote something else besides."""

    def wrongly(file: Path, *rest: Any, **options: Any) -> None:
        rewrite(file, *rest, **options)
        with closing(sqlite3.connect(file)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    monkeypatch.setattr(steps, "rewrite", wrongly)
    refusal = pair.refused()
    assert refusal.exit_status == EXIT_INTEGRITY
    return refusal


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("""UPDATE "Vote" SET "weight" = 0.1 + 0.2 WHERE id = 'Vote-1'""", "Vote"),
        ("""UPDATE "User" SET "updatedAt" = "updatedAt" + 1 WHERE id = 'User-1'""", "User"),
        ("""UPDATE "User" SET "bio" = '' WHERE id = 'User-1'""", "User"),
        ("""DELETE FROM "Event" WHERE id = 'Event-1'""", "Event"),
        ("""INSERT INTO "_SessionFacilitators" VALUES ('Session-1', 'User-2')""", "_SessionFacilitators"),
        ("""UPDATE "VerificationToken" SET "identifier" = 'someone else' WHERE rowid = 1""", "VerificationToken"),
    ],
)
def test_one_wrong_cell_or_row_is_seen(
    pair: WayBack, monkeypatch: pytest.MonkeyPatch, statement: str, table: str
) -> None:
    assert refusal_after(pair, monkeypatch, statement).table == table


def test_damage_below_the_rows_is_seen(pair: WayBack, monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal_after(
        pair,
        monkeypatch,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, '\"email\"', '\"bio\"') WHERE name = 'User_email_key'",
    )
    assert "SQLite objects to the new file" in said.message


def test_an_orphan_that_postgresql_let_in_is_named(pair: WayBack) -> None:
    pair.edit("""
        ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey";
        UPDATE "Vote" SET "userId" = 'nobody' WHERE id = 'Vote-1'
    """)
    refusal = pair.refused()
    assert (refusal.exit_status, refusal.table) == (EXIT_INTEGRITY, "Vote")
    assert "missing User" in refusal.message
