"""What becomes of rows that cannot be carried: nothing moves, or they wait in quarantine and everything adds up."""

import random
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from odyssey_assets.compare.checks import CheckName
from odyssey_assets.errors import FindingsError
from odyssey_assets.findings import Severity
from odyssey_assets.sync.outcome import Outcome, Policy
from odyssey_assets.sync.run import run
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.oracle import catalog, differences, dump
from odyssey_assets_tests.plain_source import TextBytes, plant, write_database
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import NONE, request_for

TABLES = frozenset({"Village", "User", "Feature", "Feedback", "Vote", "VerificationToken"})
ROWS = 4
ORIGINALS: dict[str, tuple[Any, dict[str, str]]] = {
    "null": (None, {"class": "null"}),
    "integer": (-(2**63), {"class": "integer", "value": "-9223372036854775808"}),
    "real": (0.1, {"class": "real", "value": "0x1.999999999999ap-4"}),
    "infinity": (float("-inf"), {"class": "real", "value": "-inf"}),
    "text": ('a"\\\u2028é😀\n', {"class": "text", "value": 'a"\\\u2028é😀\n'}),
    "nul": ("a\x00b", {"class": "text", "hex": "610062"}),
    "not utf-8": (TextBytes(b"a\xff"), {"class": "text", "hex": "61ff"}),
    "blob": (b"plain", {"class": "blob", "hex": "706c61696e"}),
}
"""A value, and how the quarantine keeps it."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_database(tmp_path / "odyssey.db", rows=ROWS)


@pytest.fixture(scope="module")
def prepared(server: EmbeddedServer) -> Iterator[str]:
    """The name of a database with Prisma's empty tables, to be copied."""
    with fresh_database(server) as uri:
        run_postgres(uri, prisma_sql(5))
        yield urlsplit(uri).path.strip("/")


@pytest.fixture
def uri(server: EmbeddedServer, prepared: str) -> Iterator[str]:
    with fresh_database(server, template=prepared) as uri:
        yield uri


def carry(folder: Path, source: Path, uri: str, **options: Any) -> Outcome:
    """A migration of some tables that holds bad rows back."""
    return run(request_for(folder, source, uri, **{"publish": TABLES, "policy": Policy.QUARANTINE} | options))


def quarantined(uri: str) -> set[tuple[Any, ...]]:
    return set(ask_postgres(uri, "SELECT table_name, source_rowid, column_name, reason FROM odyssey_sync.quarantine"))


def held_rows(outcome: Outcome) -> dict[str, int]:
    return {table.name: table.quarantined for table in outcome.tables if table.quarantined}


def spoil(source: Path) -> None:
    """One bad value in a user with a feedback and votes under him."""
    plant(source, "User", 2, role="CEO")


SPOILT = {
    ("User", 2, "role", "unknown_enum_label"),
    ("Feedback", 2, "authorId", "held_back_parent"),
    ("Vote", 2, "userId", "held_back_parent"),
}


@pytest.mark.parametrize("is_loaded", [False, True], ids=["empty", "loaded"])
def test_by_default_a_bad_row_stops_everything_and_nothing_changes(
    tmp_path: Path, source: Path, database_uri: str, is_loaded: bool
) -> None:
    if is_loaded:
        assert carry(tmp_path, source, database_uri).ok
    before = (catalog(database_uri), dump(database_uri))
    spoil(source)
    run_sqlite(source, """UPDATE "Village" SET "name" = 'moved on'""")
    with pytest.raises(FindingsError) as raised:
        carry(tmp_path, source, database_uri, policy=Policy.STOP, applies_changes=True)
    assert raised.value.exit_status == 1
    assert "User.role (id='User-1'): not a label of the enum Role" in str(raised.value)
    assert (catalog(database_uri), dump(database_uri)) == before
    if not is_loaded:
        assert ask_postgres(database_uri, "SELECT count(*) FROM pg_namespace WHERE nspname = 'odyssey_sync'") == [(0,)]


def test_good_rows_are_carried_and_the_others_accounted_for(tmp_path: Path, source: Path, uri: str) -> None:
    spoil(source)
    outcome = carry(tmp_path, source, uri)
    assert outcome.ok
    assert held_rows(outcome) == {"User": 1, "Feedback": 1, "Vote": 1}
    for table in outcome.tables:
        assert table.source_rows + table.quarantined == ROWS
        assert table.target_rows == table.source_rows == table.inserted
        check = next(each for each in table.checks if each.name is CheckName.QUARANTINE)
        assert (check.passed, check.severity) == (not table.quarantined, Severity.WARNING)
        assert check.differences == table.quarantined
    assert quarantined(uri) >= SPOILT
    assert {each[:2] for each in quarantined(uri)} == {each[:2] for each in SPOILT}
    run_sqlite(source, *(f'DELETE FROM "{table}" WHERE rowid = {rowid}' for table, rowid, *_ in SPOILT))
    run_sqlite(source, *(f'DELETE FROM "{table}"' for table in dump_of_others(uri)))
    assert differences(source, uri) == []


def dump_of_others(uri: str) -> list[str]:
    return [table for table in dump(uri) if table not in TABLES and "." not in table]


def test_a_row_in_quarantine_is_told_with_snapshot_detail_and_key(tmp_path: Path, source: Path, uri: str) -> None:
    plant(source, "VerificationToken", 1, expires="never")
    outcome = carry(tmp_path, source, uri, publish=frozenset({"VerificationToken"}))
    rows = ask_postgres(uri, "SELECT schema_name, key, detail, snapshot_id, held_at > now() - interval '1 hour' "
                        "FROM odyssey_sync.quarantine")  # fmt: skip
    detail = "not a date in any form the application writes"
    assert rows == [("public", {"token": "token 0"}, detail, outcome.snapshot.id, True)]


@pytest.mark.parametrize(("value", "kept"), ORIGINALS.values(), ids=ORIGINALS)
def test_every_cell_keeps_its_storage_class_and_its_bytes(
    tmp_path: Path, uri: str, value: Any, kept: dict[str, str]
) -> None:
    source = write_database(tmp_path / "odyssey.db", is_bare=True)
    columns = '"id", "feedbackId", "userId", "weight", "decayedWeight", "createdAt"'
    run_sqlite(source, 'ALTER TABLE "Vote" RENAME TO old', f'CREATE TABLE "Vote" ({columns})',
               f'INSERT INTO "Vote" SELECT {columns} FROM old', "DROP TABLE old")  # fmt: skip
    plant(source, "Vote", 1, weight=value, createdAt="broken")
    assert carry(tmp_path, source, uri, publish=frozenset({"Village", "User", "Feature", "Feedback", "Vote"})).ok
    ((original,),) = ask_postgres(uri, "SELECT original FROM odyssey_sync.quarantine WHERE column_name = 'createdAt'")
    assert original == {
        "id": {"class": "text", "value": "Vote-0"},
        "feedbackId": {"class": "text", "value": "Feedback-0"},
        "userId": {"class": "text", "value": "User-0"},
        "weight": kept,
        "decayedWeight": {"class": "real", "value": "0x1.0000000000000p-1"},
        "createdAt": {"class": "text", "value": "broken"},
    }


@pytest.mark.parametrize("key", ["a\x00b", TextBytes(b"\xff"), b"blob", "", None])
def test_a_row_with_a_broken_key_can_be_held_too(tmp_path: Path, uri: str, key: Any) -> None:
    source = write_database(tmp_path / "odyssey.db", is_bare=True)
    plant(source, "Village", 2, id=key, name=b"not text")
    outcome = carry(tmp_path, source, uri, publish=frozenset({"Village"}))
    assert outcome.ok
    assert held_rows(outcome) == {"Village": 1}
    assert {row[:2] for row in quarantined(uri)} == {("Village", 2)}


def test_mending_the_source_and_syncing_empties_the_quarantine(tmp_path: Path, source: Path, uri: str) -> None:
    spoil(source)
    assert carry(tmp_path, source, uri).ok
    plant(source, "User", 2, role="ADMIN")
    outcome = carry(tmp_path, source, uri, applies_changes=True, policy=Policy.STOP)
    assert outcome.ok
    assert held_rows(outcome) == {}
    assert {table.name: table.inserted for table in outcome.tables if table.inserted} == {
        "User": 1,
        "Feedback": 1,
        "Vote": 1,
    }
    assert quarantined(uri) == set()
    assert all(check.passed for table in outcome.tables for check in table.checks)


def test_syncing_an_unchanged_source_keeps_the_quarantine(tmp_path: Path, source: Path, uri: str) -> None:
    spoil(source)
    assert carry(tmp_path, source, uri).ok
    before = quarantined(uri)
    for _ in range(2):
        outcome = carry(tmp_path, source, uri, applies_changes=True)
        assert outcome.ok
        assert held_rows(outcome) == {"User": 1, "Feedback": 1, "Vote": 1}
        assert quarantined(uri) == before


def test_a_sync_without_quarantine_stops_while_a_row_is_still_bad(tmp_path: Path, source: Path, uri: str) -> None:
    spoil(source)
    assert carry(tmp_path, source, uri).ok
    before = dump(uri)
    with pytest.raises(FindingsError):
        carry(tmp_path, source, uri, applies_changes=True, policy=Policy.STOP)
    assert dump(uri) == before


def test_a_row_that_turns_bad_leaves_postgresql_with_its_descendants(tmp_path: Path, source: Path, uri: str) -> None:
    assert carry(tmp_path, source, uri).ok
    spoil(source)
    outcome = carry(tmp_path, source, uri, applies_changes=True)
    assert outcome.ok
    assert {table.name: table.deleted for table in outcome.tables if table.deleted} == {
        "User": 1,
        "Feedback": 1,
        "Vote": 1,
    }
    assert quarantined(uri) >= SPOILT
    assert ask_postgres(uri, """SELECT count(*) FROM "User" WHERE "id" = 'User-1'""") == [(0,)]


def test_a_new_row_under_a_parent_in_quarantine_follows_it(tmp_path: Path, source: Path, uri: str) -> None:
    spoil(source)
    assert carry(tmp_path, source, uri).ok
    run_sqlite(source, """INSERT INTO "Vote" SELECT 'new', 'Feedback-0', 'User-1', 1, 1, 0""")
    assert carry(tmp_path, source, uri, applies_changes=True).ok
    assert ("Vote", ROWS + 1, "userId", "held_back_parent") in quarantined(uri)


def test_verifying_accounts_for_the_quarantine_and_changes_nothing(tmp_path: Path, source: Path, uri: str) -> None:
    spoil(source)
    assert carry(tmp_path, source, uri).ok
    before = dump(uri)
    outcome = run(request_for(tmp_path, source, uri, publish=NONE, verify=TABLES))
    assert outcome.ok
    assert held_rows(outcome) == {"User": 1, "Feedback": 1, "Vote": 1}
    run_postgres(uri, """DELETE FROM "Vote" WHERE "id" = 'Vote-3'""")
    spoilt = run(request_for(tmp_path, source, uri, publish=NONE, verify=TABLES))
    assert not spoilt.ok
    run_postgres(
        uri, """INSERT INTO "Vote" SELECT 'Vote-3', "feedbackId", 'User-3', 0.5, 0.5, now() FROM "Vote" LIMIT 0"""
    )
    assert {name: rows for name, rows in dump(uri).items() if name != "Vote"} == {
        name: rows for name, rows in before.items() if name != "Vote"
    }


def test_publishing_one_table_leaves_the_quarantine_of_others_alone(tmp_path: Path, source: Path, uri: str) -> None:
    spoil(source)
    plant(source, "VerificationToken", 1, expires="never")
    assert carry(tmp_path, source, uri).ok
    plant(source, "VerificationToken", 1, expires=0)
    tokens = frozenset({"VerificationToken"})
    assert carry(tmp_path, source, uri, publish=tokens, applies_changes=True).ok
    assert {each[:2] for each in quarantined(uri)} == {each[:2] for each in SPOILT}


def test_the_longest_text_an_index_takes_is_carried_and_one_byte_more_is_held(
    tmp_path: Path, source: Path, uri: str
) -> None:
    text = "".join(random.Random(1).choices(string.ascii_letters + string.digits + string.punctuation, k=2693))
    plant(source, "User", 1, email=text[:2692])
    plant(source, "User", 2, email=text[1:] + "!")
    outcome = carry(tmp_path, source, uri)
    assert outcome.ok
    assert ("User", 2, "email", "too_long_for_index") in quarantined(uri)
    with pytest.raises(Exception, match="index row size"):
        run_postgres(uri, f"""UPDATE "User" SET "email" = {literal(text)} WHERE "id" = 'User-0'""")


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def test_what_is_wrong_with_the_file_itself_cannot_be_held_back(tmp_path: Path, source: Path, uri: str) -> None:
    run_sqlite(source, 'CREATE TABLE "_prisma_migrations" ("id", "checksum", "finished_at", "migration_name", "logs", '
               '"rolled_back_at", "started_at", "applied_steps_count")', 'INSERT INTO "_prisma_migrations" '
               "VALUES ('1', 'c', NULL, 'broken', NULL, NULL, 0, 0)")  # fmt: skip
    with pytest.raises(FindingsError, match="the Prisma migration broken began and did not finish"):
        carry(tmp_path, source, uri)
    assert all(not rows for rows in dump(uri).values())


def test_every_schema_has_a_quarantine_of_its_own(tmp_path: Path, source: Path, uri: str) -> None:
    spoil(source)
    assert carry(tmp_path, source, uri).ok
    assert carry(tmp_path, source, f"{uri}&schema=other" if "?" in uri else f"{uri}?schema=other").ok
    schemas: Mapping[str, int] = dict(
        ask_postgres(uri, "SELECT schema_name, count(*) FROM odyssey_sync.quarantine GROUP BY 1")
    )
    assert schemas["public"] == schemas["other"] > 0
