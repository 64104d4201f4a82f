"""kill -9 of the real daemon while a sync waits and while one works: none is lost, and no two work at once."""

import math
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from odyssey_assets.configuration import Settings
from odyssey_assets.instance import open_instance, prepare_instance
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.end_to_end.daemon_workspace import TABLES
from odyssey_assets_tests.end_to_end.daemons import daemon, instance_settings
from odyssey_assets_tests.statements import ask_postgres, ask_sqlite, run_sqlite
from odyssey_assets_tests.waiting import wait_until

WORKSPACE = "odyssey_assets_tests.end_to_end.daemon_workspace"
ROWS_SQL = 'SELECT "id", "name" FROM "Village" ORDER BY "id"'
LOCK_SQL = 'LOCK TABLE "Village" IN SHARE MODE'
"""Lets everybody read, and makes a sync wait in the middle of its own."""
ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


@pytest.fixture
def settings(tmp_path: Path, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """An instance whose target was published once."""
    with instance_settings(tmp_path, server, monkeypatch) as found:
        assert OdysseyEngine().publish_and_verify("migrate", "first", TABLES, frozenset(), applies_changes=False).ok
        yield found


def configure(settings: Settings, *, queue_is_open: bool) -> None:
    """The project's own configuration, watched more closely, and with a queue that lets nothing out until it may."""
    prepare_instance(settings)
    path = settings.dagster_home / "dagster.yaml"
    text = path.read_text()
    for ours, theirs in (
        ("poll_interval_seconds: 30", "poll_interval_seconds: 1"),
        ("max_concurrent_runs: 4", f"max_concurrent_runs: {4 * queue_is_open}"),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    path.write_text(text)


def syncs(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    """Oldest first."""
    return list(reversed(instance.get_run_records(dg.RunsFilter(job_name="sync"))))


def statuses(instance: dg.DagsterInstance) -> list[dg.DagsterRunStatus]:
    return [record.dagster_run.status for record in syncs(instance)]


def status_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> dg.DagsterRunStatus:
    (found,) = (each for each in syncs(instance) if each.dagster_run.run_id == record.dagster_run.run_id)
    return found.dagster_run.status


def waits_for_a_lock(uri: str) -> bool:
    return ask_postgres(uri, "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = '\"Village\"'::regclass") != []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_daemon_loses_no_sync_and_doubles_none(settings: Settings, tmp_path: Path) -> None:
    """One test, for daemons take long to start and each takes over from the one before it."""
    uri, source = settings.postgres_url, settings.sqlite_path
    assert uri is not None
    assert source is not None
    run_sqlite(source, """UPDATE "Village" SET "name" = 'renamed once'""")
    configure(settings, queue_is_open=False)
    with open_instance() as instance, closing(psycopg.connect(uri)) as holder:
        with daemon(tmp_path, WORKSPACE):
            wait_until(lambda: statuses(instance) == [dg.DagsterRunStatus.QUEUED])
        (queued,) = syncs(instance)

        # Everything is killed while the sync is at work.
        holder.execute(LOCK_SQL)
        configure(settings, queue_is_open=True)
        with daemon(tmp_path, WORKSPACE) as first:
            wait_until(lambda: waits_for_a_lock(uri))
            assert syncs(instance)[0].dagster_run.run_id == queued.dagster_run.run_id
            assert statuses(instance)[0] is dg.DagsterRunStatus.STARTED
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
        with daemon(tmp_path, WORKSPACE) as second:
            holder.rollback()
            wait_until(lambda: statuses(instance)[0] in ENDED)
            assert statuses(instance)[0] is dg.DagsterRunStatus.FAILURE
            wait_until(lambda: dg.DagsterRunStatus.SUCCESS in statuses(instance)[1:])
            assert ask_postgres(uri, ROWS_SQL) == ask_sqlite(source, ROWS_SQL)

            # The daemon alone is killed while another is at work: that one ends by itself.
            holder.execute(LOCK_SQL)
            run_sqlite(source, """UPDATE "Village" SET "name" = 'renamed twice'""")
            wait_until(lambda: waits_for_a_lock(uri))
            (at_work,) = (each for each in syncs(instance) if each.dagster_run.status is dg.DagsterRunStatus.STARTED)
            second.kill()
            second.wait()
            with daemon(tmp_path, WORKSPACE):
                holder.rollback()
                wait_until(lambda: status_of(instance, at_work) in ENDED)
                assert status_of(instance, at_work) is dg.DagsterRunStatus.SUCCESS
                assert ask_postgres(uri, ROWS_SQL) == ask_sqlite(source, ROWS_SQL)
                run_sqlite(source, """UPDATE "Village" SET "name" = 'renamed three times'""")
                wait_until(lambda: ask_postgres(uri, ROWS_SQL) == ask_sqlite(source, ROWS_SQL))
        # Another may have begun since, as the schedule goes on.
        assert dg.DagsterRunStatus.FAILURE not in statuses(instance)[1:]
        assert_never_two_at_work(syncs(instance))


def assert_never_two_at_work(records: list[dg.RunRecord]) -> None:
    spans = sorted((each.start_time, each.end_time or math.inf) for each in records if each.start_time)
    assert len(spans) > 1
    assert all(ended <= started for (_, ended), (started, _) in pairwise(spans)), spans
