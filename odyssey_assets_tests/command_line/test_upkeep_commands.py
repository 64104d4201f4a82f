"""``optimise``, ``watch``, ``slow-queries`` and ``loadtest`` as they are typed: exit status, document, and words."""

from pathlib import Path

import pytest

from odyssey_assets.sync.run import run as run_engine
from odyssey_assets_tests.command_line.conftest import assert_refused, document, odyssey
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for

INDEXES_SQL = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'odyssey%'"


@pytest.fixture
def empty_tables(database_uri: str) -> str:
    run_postgres(database_uri, prisma_sql(5))
    return database_uri


def test_optimise_makes_keeps_and_drops(empty_tables: str) -> None:
    statuses = []
    for options in ((), (), ("--drop",)):
        result = odyssey("optimise", "--postgres", empty_tables, "--json", *options)
        assert result.exit_code == 0
        statuses.append({each["status"] for each in document(result)["optimisations"]})
        assert ask_postgres(empty_tables, INDEXES_SQL) == [(0 if options else 3,)]
    assert statuses == [{"made"}, {"there already"}, {"dropped"}]


def test_watch_ends_with_1_where_something_is_amiss_or_not_visible(
    empty_tables: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unseen = odyssey("watch", "--postgres", empty_tables, "--json")
    assert (unseen.exit_code, document(unseen)["ok"]) == (1, False)
    monkeypatch.setenv("ODYSSEY_WATCH_SLOW_MS", "off")
    monkeypatch.setenv("ODYSSEY_WATCH_CACHE_PERCENT", "off")
    well = odyssey("watch", "--postgres", empty_tables)
    assert (well.exit_code, "connections:" in well.stdout) == (0, True)
    monkeypatch.setenv("ODYSSEY_WATCH_CONNECTIONS_PERCENT", "0")
    full = odyssey("watch", "--postgres", empty_tables)
    assert full.exit_code == 1
    assert full.stdout.startswith("ERROR")


def test_a_threshold_that_is_none_is_wrong_usage(empty_tables: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODYSSEY_WATCH_DEADLOCKS", "many")
    assert_refused(odyssey("watch", "--postgres", empty_tables), 2, "ODYSSEY_WATCH_DEADLOCKS must be a number")


def test_slow_queries_says_why_there_are_none_and_makes_the_extension(empty_tables: str) -> None:
    hidden = odyssey("slow-queries", "--postgres", empty_tables)
    assert (hidden.exit_code, "odyssey slow-queries --install" in hidden.stdout) == (3, True)
    shown = odyssey("slow-queries", "--postgres", empty_tables, "--install", "--json")
    assert (shown.exit_code, document(shown)["visible"]) == (0, True)


def test_loadtest_beside_re_syncs(database_uri: str, source: Path, tmp_path: Path) -> None:
    assert run_engine(request_for(tmp_path, source, database_uri)).ok
    options = ("--clients", "2", "--seconds", "1", "--limit-ms", "60000", "--with-syncs", "--sqlite", source)
    result = odyssey("loadtest", "--postgres", database_uri, "--json", *options)
    told = document(result)
    assert (result.exit_code, told["ok"], told["not_tried"]) == (0, True, [])
    assert told["syncs"]["finished"] > 0
    assert len(told["alone"]["queries"]) == len(told["during_syncs"]["queries"]) == 6


def test_re_syncs_need_a_source(empty_tables: str) -> None:
    assert_refused(odyssey("loadtest", "--postgres", empty_tables, "--with-syncs"), 2, "Re-syncs need the SQLite file")
