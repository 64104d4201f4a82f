"""Filling empty tables: which keys are taken off for it, and values that cannot be carried."""

from pathlib import Path

import pytest

from odyssey_assets.errors import FindingsError, IntegrityError
from odyssey_assets.progress import Phase, Progress
from odyssey_assets.source import reader
from odyssey_assets.sync import load
from odyssey_assets.sync.run import run
from odyssey_assets_tests.oracle import catalog, differences, dump, facts_for
from odyssey_assets_tests.statements import ask_postgres, ask_sqlite, prisma_sql, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import request_for, verification

INDEXES_SQL = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'public'::regnamespace ORDER BY 1"""


def rebuilt_tables(folder: Path, source: Path, uri: str) -> set[str]:
    """Load, and say for which tables keys or indexes were built afterwards."""
    told: list[Progress] = []
    assert run(request_for(folder, source, uri), told.append).ok
    assert differences(source, uri) == []
    return {each.table for each in told if each.phase is Phase.INDEX}


def test_only_large_tables_are_rebuilt_and_those_that_refer_to_them(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = facts_for(5)["tables"]
    rows = {name: int(ask_sqlite(source, f'SELECT count(*) FROM "{name}"')[0][0]) for name in tables}
    monkeypatch.setattr(load, "REBUILD_FROM_ROWS", rows["Vote"])
    large = {name for name, count in rows.items() if count >= rows["Vote"]}
    referring = {
        name for name, table in tables.items() if any(key["references"] in large for key in table["foreign_keys"])
    }
    assert {"Vote", "Event"} <= large < tables.keys()
    assert rebuilt_tables(tmp_path, source, database_uri) == large | referring
    assert catalog(database_uri) == facts_for(5)


def test_small_tables_keep_their_keys_on(tmp_path: Path, source: Path, database_uri: str) -> None:
    told: list[Progress] = []
    assert run(request_for(tmp_path, source, database_uri, publish=frozenset({"Village", "User"})), told.append).ok
    assert Phase.LOAD in {each.phase for each in told}
    assert Phase.INDEX not in {each.phase for each in told}


def test_indexes_the_team_has_made_come_back(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "REBUILD_FROM_ROWS", 1)
    run_postgres(database_uri, f"""{prisma_sql(5)};
        CREATE INDEX "theirs 1" ON "Vote" ("weight") WHERE "weight" > 1;
        CREATE INDEX "theirs 2" ON "Feedback" (lower("title")) INCLUDE ("id");
        CREATE UNIQUE INDEX "theirs 3" ON "User" ("id", "email")""")  # fmt: skip
    before = ask_postgres(database_uri, INDEXES_SQL)
    assert "Vote" in rebuilt_tables(tmp_path, source, database_uri)
    assert ask_postgres(database_uri, INDEXES_SQL) == before


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ('CREATE SCHEMA o; CREATE TABLE o.c (a text REFERENCES public."Vote")', "o.c"),
        ('CREATE VIEW v AS SELECT "id", "weight" FROM "Vote" GROUP BY "id"', "v"),
    ],
    ids=["other schema", "view"],
)
def test_a_table_that_others_lean_on_is_loaded_with_its_keys_on(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch, change: str, kept: str
) -> None:
    monkeypatch.setattr(load, "REBUILD_FROM_ROWS", 1)
    run_postgres(database_uri, f"{prisma_sql(5)}; {change}")
    assert "Event" in rebuilt_tables(tmp_path, source, database_uri)
    assert ask_postgres(database_uri, f"SELECT to_regclass('{kept}') IS NOT NULL") == [(True,)]


def test_rows_of_many_batches_arrive_in_their_order(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BATCH_ROWS", 7)
    assert run(request_for(tmp_path, source, database_uri, publish=frozenset({"Village", "User", "Event"}))).ok
    expected = [row for (row,) in ask_sqlite(source, 'SELECT "id" FROM "Event" ORDER BY rowid')]
    assert len(expected) > 7
    assert [row for (row,) in ask_postgres(database_uri, 'SELECT "id" FROM "Event" ORDER BY ctid')] == expected


MISFITS = {
    "text for a number": ("Vote", "weight", "'heavy'"),
    "text for a date": ("EmailLog", "createdAt", "'yesterday'"),
    "unknown label": ("Feedback", "visibility", "'secret'"),
    "bytes that are not UTF-8": ("Feedback", "body", "CAST(x'ff' AS TEXT)"),
    "a NUL in a text": ("Feedback", "body", "'a' || char(0)"),
    "bytes for text": ("Feedback", "body", "x'00'"),
}


def plant(source: Path, table: str, column: str, value: str) -> str:
    """Put a value into a row in the middle and give that row's id."""
    ((rowid, id_),) = ask_sqlite(source, f'SELECT rowid, "id" FROM "{table}" ORDER BY rowid LIMIT 1 OFFSET '
                                 f'(SELECT count(*) / 2 FROM "{table}")')  # fmt: skip
    run_sqlite(source, f'UPDATE "{table}" SET "{column}" = {value} WHERE rowid = {rowid}')
    return str(id_)


@pytest.mark.parametrize("misfit", MISFITS)
def test_a_value_that_cannot_be_carried_is_named_and_nothing_is_made(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch, misfit: str
) -> None:
    monkeypatch.setattr(reader, "BATCH_ROWS", 3)
    table, column, value = MISFITS[misfit]
    id_ = plant(source, table, column, value)
    with pytest.raises(FindingsError) as raised:
        run(request_for(tmp_path, source, database_uri))
    # Rows that refer to a row that cannot be carried are found as well.
    found = [finding for finding in raised.value.findings if (finding.table, finding.column) == (table, column)]
    assert [finding.key for finding in found] == [{"id": id_}]
    assert all(part in str(raised.value) for part in (table, column, id_))
    assert raised.value.exit_status == 1
    assert catalog(database_uri) == {"enums": {}, "tables": {}}


def test_a_verification_names_such_a_value_too(tmp_path: Path, source: Path, loaded_uri: str) -> None:
    before = dump(loaded_uri)
    id_ = plant(source, "Vote", "weight", "'heavy'")
    run_sqlite(source, f'UPDATE "Vote" SET "createdAt" = 253402300800000 WHERE "id" = \'{id_}\'')
    with pytest.raises(IntegrityError, match=r"Vote\.weight holds a value that PostgreSQL cannot take") as raised:
        run(verification(tmp_path, source, loaded_uri))
    assert (raised.value.table, raised.value.column, raised.value.key) == ("Vote", "weight", {"id": id_})
    assert dump(loaded_uri) == before


def test_a_key_that_stands_twice_is_refused_and_nothing_is_made(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would let nobody do this; a file that lost an index has it all the same."""
    monkeypatch.setattr(load, "REBUILD_FROM_ROWS", 1)
    run_sqlite(source, 'DROP INDEX "User_email_key"',
               'UPDATE "User" SET "email" = (SELECT "email" FROM "User" WHERE rowid = 1) WHERE rowid = 2')  # fmt: skip
    with pytest.raises(IntegrityError, match="User"):
        run(request_for(tmp_path, source, database_uri))
    assert catalog(database_uri) == {"enums": {}, "tables": {}}


def test_triggers_of_the_target_that_change_rows_are_caught(tmp_path: Path, source: Path, database_uri: str) -> None:
    run_postgres(database_uri, f"""{prisma_sql(5)};
        CREATE FUNCTION louder() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW."title" := upper(NEW."title"); RETURN NEW; END $$;
        CREATE TRIGGER g BEFORE INSERT ON "Feedback" FOR EACH ROW EXECUTE FUNCTION louder()""")  # fmt: skip
    before = dump(database_uri)
    outcome = run(request_for(tmp_path, source, database_uri))
    assert outcome.problem == "Integrity checks failed: Feedback fails rows_equal."
    assert dump(database_uri) == before
