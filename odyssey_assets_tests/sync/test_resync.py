"""What a re-sync refuses before it touches anything, and what it leaves behind: nothing."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from odyssey_assets.errors import EXIT_REFUSED, RefusedError
from odyssey_assets.sync.outcome import TableStatus
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.plain_source import PRISMA_TABLE, write_database
from odyssey_assets_tests.statements import run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun, Template, copied, places
from odyssey_assets_tests.sync.requests import ALL_TABLES

VILLAGES = frozenset({"Village"})
MIGRATIONS = ("20250101000000_init", "20250601000000_badges")


@pytest.fixture
def pair(template: Template, tmp_path: Path) -> Iterator[DualRun]:
    """Published from a source that knows its migrations."""
    with copied(template, tmp_path) as copy:
        made = replace(copy, tables=VILLAGES)
        write_migrations(made.source, "first", *MIGRATIONS)
        assert made.sync().problem is None
        yield made


def write_migrations(source: Path, identity: str, *names: str) -> None:
    run_sqlite(source, 'DROP TABLE IF EXISTS "_prisma_migrations"', PRISMA_TABLE)
    for number, name in enumerate(names):
        run_sqlite(
            source,
            f"""INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "finished_at", "started_at",
                "applied_steps_count") VALUES
                ('{identity if not number else uuid.uuid4()}', 'sum', '{name}', 1, 1, 1)""",
        )


def another_application(pair: DualRun) -> None:
    write_migrations(pair.source, "another", *MIGRATIONS)


def older(pair: DualRun) -> None:
    write_migrations(pair.source, "first", MIGRATIONS[0])


def empty(pair: DualRun) -> None:
    pair.source.unlink()
    write_database(pair.source, rows=0)
    write_migrations(pair.source, "first", *MIGRATIONS)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [(another_application, "not the one that was last published"), (older, "is older"), (empty, "is empty")],
)
def test_a_source_that_cannot_be_the_same_grown_older_is_refused_until_it_is_accepted(
    pair: DualRun, wrong: Callable[[DualRun], None], sentence: str
) -> None:
    wrong(pair)
    before = dump(pair.uri)
    with pytest.raises(RefusedError, match=sentence) as refused:
        pair.sync()
    assert refused.value.exit_status == EXIT_REFUSED
    assert "--accept-new-source" in refused.value.hint
    assert dump(pair.uri) == before
    assert pair.sync(accepts_new_source=True, publish=ALL_TABLES).problem is None
    assert pair.differences() == []
    assert pair.sync().problem is None


def test_a_source_with_one_more_migration_is_the_same_one(pair: DualRun) -> None:
    write_migrations(pair.source, "first", *MIGRATIONS, "20251001000000_more")
    assert pair.sync().problem is None


def test_an_unchanged_pair_is_left_alone(pair: DualRun) -> None:
    before = places(pair.uri)
    outcome = pair.sync(publish=ALL_TABLES)
    assert {table.status for table in outcome.tables} == {TableStatus.UNCHANGED}
    assert places(pair.uri) == before


@pytest.mark.parametrize("is_refused", [False, True])
def test_no_scratch_is_left_behind(pair: DualRun, is_refused: bool) -> None:
    new = ", ".join(f"('v{number}', 'x', 1, 2)" for number in range(20))
    pair.change(f'INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt") VALUES {new}')
    pair.converge()
    pair.change("""DELETE FROM "Village" WHERE "id" GLOB 'v*'""")
    if is_refused:
        with pytest.raises(RefusedError, match="would delete a large part"):
            pair.sync()
    else:
        pair.converge(allowed_deletes={"Village": 20})
    assert list((pair.folder / "scratch").iterdir()) == []


def test_the_breaker_counts_by_the_quick_way_as_by_the_full(pair: DualRun) -> None:
    new = ", ".join(f"('v{number}', 'x', 1, 2)" for number in range(20))
    pair.change(f'INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt") VALUES {new}')
    pair.converge()
    pair.change("""DELETE FROM "Village" WHERE "id" GLOB 'v*'""")
    sentences = set()
    for _ in range(2):
        with pytest.raises(RefusedError) as refused:
            pair.sync()
        sentences.add(refused.value.message)
        pair.forget_snapshots()
    assert sentences == {"This sync would delete a large part of PostgreSQL's rows: Village 20 of 24 rows."}
