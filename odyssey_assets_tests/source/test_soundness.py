"""A snapshot that SQLite itself objects to is refused, with what is wrong and where."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from odyssey_assets.errors import EXIT_INTEGRITY, IntegrityError
from odyssey_assets.source.soundness import (
    BrokenReference,
    foreign_key_check,
    integrity_check,
    quick_check,
    require_sound,
    require_whole,
)
from odyssey_assets_tests.source.conftest import Files

PARENT_AND_CHILD = (
    'CREATE TABLE "User" (id TEXT PRIMARY KEY)',
    "INSERT INTO \"User\" VALUES ('u')",
    'CREATE TABLE "Vote" (id TEXT, "userId" TEXT REFERENCES "User" (id))',
    "INSERT INTO \"Vote\" VALUES ('good', 'u'), ('none', NULL)",
)


def overwrite(path: Path, at: int, data: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(data)] = data
    path.write_bytes(content)


def test_a_sound_file_passes(files: Files) -> None:
    path = files.with_statements(*PARENT_AND_CHILD)
    require_sound(path)
    assert (quick_check(path), foreign_key_check(path)) == ((), ())


def test_one_row_that_refers_nowhere_is_named(files: Files) -> None:
    path = files.with_statements(*PARENT_AND_CHILD, "INSERT INTO \"Vote\" VALUES ('bad', 'nobody')")
    assert quick_check(path) == ()
    assert foreign_key_check(path) == (BrokenReference("Vote", 3, "User", 0),)
    with pytest.raises(IntegrityError) as refusal:
        require_sound(path)
    assert refusal.value.message == "The SQLite file breaks its own foreign keys: Vote row 3 refers to a missing User."
    assert (refusal.value.table, refusal.value.exit_status) == ("Vote", EXIT_INTEGRITY)
    assert "nobody" not in str(refusal.value)


def test_of_many_broken_references_the_first_are_named_and_the_rest_counted(files: Files) -> None:
    path = files.with_statements(*PARENT_AND_CHILD, *["INSERT INTO \"Vote\" VALUES ('bad', 'nobody')"] * 7)
    with pytest.raises(IntegrityError) as refusal:
        require_sound(path)
    assert refusal.value.message.count("refers to a missing User") == 5
    assert refusal.value.message.endswith("Vote row 7 refers to a missing User ... and 2 more.")


def test_exactly_as_many_as_are_shown_leave_none_over(files: Files) -> None:
    path = files.with_statements(*PARENT_AND_CHILD, *["INSERT INTO \"Vote\" VALUES ('bad', 'nobody')"] * 5)
    with pytest.raises(IntegrityError, match="Vote row 7 refers to a missing User\\.") as refusal:
        require_sound(path)
    assert "more" not in refusal.value.message


def test_a_row_of_a_table_without_rowid_has_no_number(files: Files) -> None:
    path = files.with_statements(
        'CREATE TABLE "User" (id TEXT PRIMARY KEY)',
        'CREATE TABLE "Vote" (id TEXT PRIMARY KEY, "userId" TEXT REFERENCES "User" (id)) WITHOUT ROWID',
        "INSERT INTO \"Vote\" VALUES ('bad', 'nobody')",
    )
    assert foreign_key_check(path) == (BrokenReference("Vote", None, "User", 0),)
    with pytest.raises(IntegrityError, match="a row of Vote refers to a missing User"):
        require_sound(path)


@pytest.mark.parametrize("damage", [b"\xff" * 64, b"\x00" * 64], ids=["ones", "zeros"])
def test_a_damaged_page_is_told(files: Files, damage: bytes) -> None:
    path = files.with_rows("User", ["id TEXT"], [("x" * 500,) for _ in range(200)])
    overwrite(path, 3 * 4096, damage)
    assert quick_check(path) != ()
    with pytest.raises(IntegrityError, match="The SQLite file is damaged") as refusal:
        require_sound(path)
    assert "nothing was changed" in refusal.value.hint


def test_a_destroyed_schema_is_told(files: Files) -> None:
    path = files.with_statements(*PARENT_AND_CHILD)
    overwrite(path, 100, b"\xff" * 300)
    with pytest.raises(IntegrityError, match=r"The SQLite file is damaged: .*malformed"):
        require_sound(path)


def test_a_null_in_a_required_column_is_told(files: Files) -> None:
    path = files.with_statements(
        'CREATE TABLE "User" (id TEXT, email TEXT)',
        "INSERT INTO \"User\" VALUES ('u', NULL)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE \"User\" (id TEXT, email TEXT NOT NULL)'",
    )
    with pytest.raises(IntegrityError, match=r"NULL value in User\.email"):
        require_sound(path)


def test_an_index_that_disagrees_with_its_table_is_told_by_the_whole_check_alone(files: Files) -> None:
    path = files.with_statements(
        *PARENT_AND_CHILD,
        'CREATE INDEX "one of ""many""" ON "Vote" ("userId")',
        'CREATE TABLE "odd ""name""" (id TEXT PRIMARY KEY) WITHOUT ROWID',
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, '\"userId\")', '\"id\")') WHERE name LIKE 'one of%'",
    )
    assert quick_check(path) == ()
    assert integrity_check(path) != ()
    require_sound(path)
    with pytest.raises(IntegrityError, match="The SQLite file is damaged"):
        require_whole(path)


@pytest.mark.parametrize("seed", range(24))
def test_table_by_table_finds_damage_wherever_the_check_of_the_whole_file_does(files: Files, seed: int) -> None:
    path = files.with_statements(
        'CREATE TABLE "User" (id TEXT PRIMARY KEY, name TEXT NOT NULL)',
        'CREATE TABLE "Vote" (id TEXT PRIMARY KEY, "userId" TEXT, number INTEGER)',
        'CREATE TABLE "Pair" (a TEXT, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID',
        'CREATE INDEX "byUser" ON "Vote" ("userId", number)',
        *[f"INSERT INTO \"User\" VALUES ('{n}', '{'x' * 90}')" for n in range(90)],
        *[f"INSERT INTO \"Vote\" VALUES ('{n}', '{'y' * (n % 70)}', {n})" for n in range(90)],
        *[f"INSERT INTO \"Pair\" VALUES ('{n}', '{'z' * 60}')" for n in range(90)],
        'DELETE FROM "Vote" WHERE number > 60',
    )
    chance = random.Random(seed)
    size = path.stat().st_size
    for _ in range(chance.choice([0, 1, 1, 2, 8])):
        overwrite(path, chance.randrange(100, size - 8), chance.randbytes(chance.choice([1, 1, 4, 8])))
    assert bool(integrity_check(path)) == is_objected_to(path)


def is_objected_to(path: Path) -> bool:
    """What SQLite says of the file as a whole."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return True
