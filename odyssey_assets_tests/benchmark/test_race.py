"""The race itself, at a tiny size, on a real server: every contender that is installed arrives with all rows."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from odyssey_assets.benchmark.child import run_in_child
from odyssey_assets.benchmark.command import BenchmarkOptions, rows_from, run_benchmark
from odyssey_assets.benchmark.contender import Task
from odyssey_assets.benchmark.contenders import CONTENDERS, contender_named
from odyssey_assets.benchmark.copy_folder import copy_folder
from odyssey_assets.benchmark.engine import load_and_prove
from odyssey_assets.benchmark.limits import write_copy_files
from odyssey_assets.benchmark.race import race, scale_of
from odyssey_assets.configuration import settings_from_environment
from odyssey_assets.errors import ConfigurationError, IntegrityError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.sample.writer import SampleSummary, write_sample
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.scratch_database import scratch_database

ROWS = 400
_TOLD_OTHERWISE = {"limit", "pgloader_rows"}
"""The one has a test of its own, the other is pgloader with one word more, and takes ten seconds."""
LOADS = [contender for contender in CONTENDERS if not contender.needs_rows and contender.name not in _TOLD_OTHERWISE]
CHECKS = [contender for contender in CONTENDERS if contender.needs_rows]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return write_sample(tmp_path_factory.mktemp("benchmark") / "odyssey.db", scale=scale_of(ROWS))


@pytest.fixture(scope="module")
def loaded(server: EmbeddedServer, sample: SampleSummary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Task]:
    """A database that holds the sample, and the server's own binary copies of its tables."""
    folder = tmp_path_factory.mktemp("loaded")
    with scratch_database(server.uri_of("postgres")) as uri, copy_folder() as files:
        load_and_prove(sample.path, uri, folder)
        write_copy_files(uri, files)
        yield Task(sample.path, uri, folder, files)


@pytest.fixture
def copies(loaded: Task) -> Path:
    return loaded.copy_folder


def databases_of(server: EmbeddedServer) -> set[str]:
    with closing(psycopg2.connect(server.uri_of("postgres"))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'odyssey\\_scratch%'")
        return {name for (name,) in cursor.fetchall()}


def rows_in(uri: str, tables: list[str]) -> dict[str, int]:
    found = {}
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {quoted(table)}")
            (found[table],) = cursor.fetchone() or (None,)
    return found


@pytest.mark.parametrize("contender", LOADS, ids=lambda each: each.name)
def test_every_load_brings_every_row(contender, server, sample, copies, database_uri, tmp_path):
    """In this process: what a child adds is shown with ``limit``, and by the races."""
    reason = contender.unavailable()
    if reason is not None:
        pytest.skip(reason)
    seconds = contender.run(Task(sample.path, database_uri, tmp_path, copies))
    assert rows_in(database_uri, list(sample.rows_by_table)) == dict(sample.rows_by_table)
    assert set(seconds) == {measure.name for measure in contender.measures}
    assert all(0 < each < 60 for each in seconds.values())


@pytest.mark.parametrize("contender", CHECKS, ids=lambda each: each.name)
def test_every_check_reads_a_loaded_database(contender, loaded):
    seconds = contender.run(loaded)
    assert set(seconds) == {measure.name for measure in contender.measures}
    assert all(0 < each < 60 for each in seconds.values())


def test_the_loads_that_are_compared_end_with_the_same_rows_keys_and_indexes(loaded, sample, database_uri, tmp_path):
    found = []
    limit = contender_named("limit")
    result = run_in_child(limit, Task(loaded.sqlite, database_uri, tmp_path, loaded.copy_folder))
    assert rows_in(database_uri, list(sample.rows_by_table)) == dict(sample.rows_by_table)
    assert set(result.seconds) == {measure.name for measure in limit.measures}
    assert all(0 < seconds < 60 for seconds in result.seconds.values())
    assert 20e6 < result.peak_bytes < 2e9
    for uri in (database_uri, loaded.uri):
        with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL "
                "SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint "
                "WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'f') ORDER BY 1"
            )
            found.append(cursor.fetchall())
    assert len(found[0]) > 100
    assert found[0] == found[1]


def test_rounds_are_interleaved_small_contenders_extrapolated_and_everything_is_removed(server, tmp_path):
    """A contender that fails is named with its reason, and the others go on."""
    slow = contender_named("row_loop")
    # It is handed an empty database, in which there is nothing to read.
    broken = replace(contender_named("plain_read"), needs_rows=False)
    few = [broken, contender_named("verify"), replace(slow, largest_rows=200)]
    before = databases_of(server)
    found = race(server.uri_of("postgres"), few, [ROWS], 2, tmp_path, lambda _: None)
    assert [name for name, _ in found.absent] == ["plain_read"]
    assert found.absent[0][1].startswith("plain_read did not come to the end: ")
    assert "does not exist" in found.absent[0][1]
    assert [each.contender for each in found.samples] == ["verify", "verify", "row_loop"] * 2
    extrapolated = next(each for each in found.samples if each.contender == "row_loop")
    assert extrapolated.measured_rows < extrapolated.rows
    assert extrapolated.seconds_at_size == extrapolated.seconds * extrapolated.rows / extrapolated.measured_rows
    assert databases_of(server) == before
    assert list(tmp_path.iterdir()) == []


def test_a_verification_that_would_read_no_rows_is_not_taken_for_one(loaded, tmp_path):
    with pytest.raises(IntegrityError, match="compared no rows"):
        contender_named("verify").run(replace(loaded, folder=tmp_path))


def test_a_child_that_fails_says_why(database_uri, sample, tmp_path):
    with pytest.raises(IntegrityError, match=r"verify did not come to the end: .*Run odyssey migrate first"):
        run_in_child(contender_named("verify"), Task(sample.path, database_uri, tmp_path, tmp_path))


def test_the_report_is_one_document_and_nothing_is_left_behind(server, tmp_path):
    chart = tmp_path / "chart.svg"
    state = tmp_path / "state"
    settings = replace(settings_from_environment({}), state_dir=state, postgres_url=server.uri_of("postgres"))
    options = BenchmarkOptions(("400",), 1, ("limit", "migrate"), chart=chart, as_json=True)
    report = run_benchmark(settings, options, lambda _: None)
    document = json.loads(report.text)
    assert report.exit_status == 0
    assert [line["measure"] for line in document["summary"]] == ["limit", "load", "load_and_proof", "migrate"]
    assert document["summary"][0]["ratio"] == 1
    assert document["absent"] == []
    assert chart.read_text().startswith("<svg")
    assert list(state.iterdir()) == []


@pytest.mark.parametrize(("text", "rows"), [("100", 100), ("10k", 10_000), ("1.5M", 1_500_000), ("1_000", 1_000)])
def test_sizes_are_numbers_of_rows(text, rows):
    assert rows_from(text) == rows


@pytest.mark.parametrize("text", ["0", "50", "-1", "many", "1G", "k", ""])
def test_a_size_that_is_none_is_refused(text):
    with pytest.raises(ConfigurationError, match="is not a number of rows"):
        rows_from(text)


def test_a_contender_that_is_unknown_is_refused_before_anything_runs(tmp_path):
    settings = replace(settings_from_environment({}), state_dir=tmp_path / "state")
    with pytest.raises(ConfigurationError, match=r"no contender nobody.*There are limit, migrate"):
        run_benchmark(settings, BenchmarkOptions(contenders=("nobody",)), lambda _: None)
    assert list(tmp_path.iterdir()) == []
