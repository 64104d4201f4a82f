"""What is known of the source without touching the target, and when a sync is proven to be needless."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from odyssey_assets.sync.observe import SourceTableVersion, observe_source, unchanged_since
from odyssey_assets.sync.run import run
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.statements import run_postgres, run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun
from odyssey_assets_tests.sync.ordinary_role import as_role, owned_database
from odyssey_assets_tests.sync.requests import ALL_TABLES, request_for

RENAME = """UPDATE "Village" SET "name" = 'renamed' WHERE "id" = 'Village-1'"""


def observed(pair: DualRun) -> dict[str, SourceTableVersion]:
    found = observe_source(request_for(pair.folder, pair.source, as_role(pair.uri)))
    return {version.table: version for version in found}


def reason(pair: DualRun) -> str | None:
    return unchanged_since(request_for(pair.folder, pair.source, as_role(pair.uri)))


def test_exactly_the_tables_that_changed_get_another_version(pair: DualRun) -> None:
    before = observed(pair)
    assert before.keys() == ALL_TABLES
    assert {version.rows_behind for version in before.values()} == {0}
    pair.change(RENAME)
    after = observed(pair)
    assert {name for name in ALL_TABLES if before[name].version != after[name].version} == {"Village"}
    assert {name: version.rows_behind for name, version in after.items() if version.rows_behind} == {"Village": 1}
    pair.change("""UPDATE "Village" SET "name" = 'name 1' WHERE "id" = 'Village-1'""")
    assert observed(pair) == before


def test_a_sync_brings_the_rows_behind_to_none_and_keeps_the_version(pair: DualRun) -> None:
    pair.change(RENAME)
    behind = observed(pair)
    pair.converge()
    in_step = observed(pair)
    assert {name: version.version for name, version in in_step.items()} == {
        name: version.version for name, version in behind.items()
    }
    assert {version.rows_behind for version in in_step.values()} == {0}


def test_where_the_way_back_is_closed_every_version_is_new_and_nobody_knows_how_far_behind(pair: DualRun) -> None:
    pair.forget_snapshots()
    first, second = observed(pair), observed(pair)
    assert {version.rows_behind for version in first.values()} == {None}
    assert all(first[name].version != second[name].version for name in ALL_TABLES)


def test_after_a_sync_nothing_is_left_to_do_and_the_sentence_says_since_when(pair: DualRun) -> None:
    sentence = reason(pair)
    assert sentence is not None
    assert sentence.startswith("SQLite and PostgreSQL are unchanged since publication 1 (")
    pair.change(RENAME)
    assert reason(pair) is None
    pair.converge()
    assert "publication 2" in str(reason(pair))


OBSTACLES: dict[str, Callable[[DualRun], None]] = {
    "tampered": lambda pair: run_postgres(pair.uri, """UPDATE "Village" SET "name" = 'x'"""),
    "ledger lost": lambda pair: run_postgres(
        pair.uri, "TRUNCATE odyssey_sync.publication, odyssey_sync.published_table"
    ),
    "no entry": lambda pair: run_postgres(
        pair.uri, "DELETE FROM odyssey_sync.published_table WHERE table_name = 'Village'"
    ),
    "another server": lambda pair: run_postgres(pair.uri, "UPDATE odyssey_sync.published_table SET server_version = 1"),
    "rows held back": lambda pair: run_postgres(pair.uri, "UPDATE odyssey_sync.published_table SET held_rows = 1"),
    "snapshot gone": DualRun.forget_snapshots,
    "schema changed": lambda pair: run_sqlite(pair.source, 'CREATE TABLE "Later" ("id" TEXT)'),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_is_not_proven_is_not_said(pair: DualRun, name: str) -> None:
    assert reason(pair) is not None
    OBSTACLES[name](pair)
    assert reason(pair) is None


def test_a_commit_that_is_still_in_the_write_ahead_log_counts(pair: DualRun) -> None:
    run_sqlite(pair.source, "PRAGMA journal_mode = WAL")
    assert reason(pair) is not None
    with closing(sqlite3.connect(pair.source)) as writer, closing(sqlite3.connect(pair.source)) as reader:
        reader.execute("BEGIN")
        reader.execute('SELECT count(*) FROM "Village"').fetchone()
        with writer:
            writer.execute(RENAME)
        assert reason(pair) is None


def test_a_file_that_somebody_holds_locked_proves_nothing(pair: DualRun) -> None:
    with closing(sqlite3.connect(pair.source, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert reason(pair) is None
    assert reason(pair) is not None


@pytest.mark.usefixtures("template")
def test_publishing_some_tables_says_nothing_of_the_others(server: EmbeddedServer, pair: DualRun) -> None:
    with owned_database(server) as uri:
        request = request_for(pair.folder, pair.source, as_role(uri), publish=frozenset({"Badge"}))
        assert run(request).ok
        assert unchanged_since(request) is not None
        assert unchanged_since(request_for(pair.folder, pair.source, as_role(uri))) is None
