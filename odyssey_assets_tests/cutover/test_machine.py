"""The switch from beginning to end: what it leaves, what it refuses, and where it stops."""

import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from odyssey_assets.backup.store import list_backups
from odyssey_assets.cutover import store
from odyssey_assets.cutover.certificate import certificate_path, read_certificate
from odyssey_assets.cutover.machine import abort, cut_over, resume
from odyssey_assets.cutover.steps import State, Step, StepProgress
from odyssey_assets.errors import FindingsError, IntegrityError, RefusedError, UnreachableError
from odyssey_assets.source.fence import can_write, is_sealed
from odyssey_assets.sync.outcome import Policy
from odyssey_assets_tests.cutover.switching import NEW_VILLAGE, NEW_VILLAGE_IN_POSTGRESQL, cutover_request
from odyssey_assets_tests.statements import ask_postgres, run_postgres, run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun


def test_a_switch_leaves_both_sides_equal_and_sqlite_sealed(pair: DualRun) -> None:
    pair.change(NEW_VILLAGE.format(id="last-minute"))
    told: list[StepProgress] = []
    request = cutover_request(pair)
    done = cut_over(request, told.append)
    assert (done.state, pair.differences()) == (State.FINISHED, [])
    assert [each.step for each in told if each.spent_seconds is not None] == list(Step)
    assert done.done[Step.SYNC_AHEAD].detail["inserted"] == 1
    assert all(test["passed"] for test in done.done[Step.SMOKE].detail["tests"])  # type: ignore[attr-defined]
    with pytest.raises(sqlite3.IntegrityError, match=f"moved to PostgreSQL with cut-over {done.id}"):
        run_sqlite(pair.source, NEW_VILLAGE.format(id="late"))
    (backup,) = list_backups(request.backup_dir).readable
    assert (backup.id, backup.is_pinned) == (done.done[Step.BACKUP].detail["backup"], True)
    certificate = read_certificate(certificate_path(request.certificate_dir, done))
    assert certificate["rows"] == sum(table["rows"] for table in certificate["tables"]) > 0
    assert done.downtime_seconds > 0


def test_nothing_syncs_over_it_afterwards(pair: DualRun) -> None:
    done = cut_over(cutover_request(pair))
    run_postgres(pair.uri, NEW_VILLAGE_IN_POSTGRESQL.format(id="in-postgresql"))
    with pytest.raises(RefusedError, match=f"the truth since cut-over {done.id}") as raised:
        pair.sync()
    assert raised.value.exit_status == 3
    assert ask_postgres(pair.uri, """SELECT count(*) FROM "Village" WHERE "id" = 'in-postgresql'""") == [(1,)]
    with pytest.raises(RefusedError, match="is sealed by an earlier cut-over"):
        cut_over(cutover_request(pair))


def test_a_rehearsal_does_all_but_the_switch(pair: DualRun) -> None:
    done = cut_over(cutover_request(pair, is_rehearsal=True))
    assert done.state is State.REHEARSED
    assert set(done.done) == set(Step) - {Step.SWITCH}
    assert can_write(pair.source)
    assert not is_sealed(pair.source)
    pair.change(NEW_VILLAGE.format(id="after-the-rehearsal"))
    pair.converge()
    expected = store.expected_seconds(cutover_request(pair).target)
    assert expected == {step: each.seconds for step, each in done.done.items()}


def test_a_released_file_can_be_written_to(pair: DualRun) -> None:
    done = cut_over(cutover_request(pair, seals_source=False))
    assert done.state is State.FINISHED
    run_sqlite(pair.source, NEW_VILLAGE.format(id="late"))
    with pytest.raises(RefusedError, match="PostgreSQL is the truth"):
        cut_over(cutover_request(pair))


def test_a_writer_that_is_still_there_stops_it(pair: DualRun) -> None:
    code = (
        "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1]); "
        "db.execute('BEGIN IMMEDIATE'); print('at it', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(pair.source)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "at it\n"
        with pytest.raises(RefusedError, match=rf"Somebody is writing .*process {writer.pid}\)"):
            cut_over(cutover_request(pair, wait_seconds=0.1))
        writer.kill()
    found = store.newest_cutover(cutover_request(pair).target)
    assert found is not None
    assert (found.state, found.reason) == (State.ABORTED, found.reason)
    assert "does not stop" in str(found.reason)
    assert cut_over(cutover_request(pair)).state is State.FINISHED


def test_a_fence_that_runs_out_aborts_and_releases(pair: DualRun) -> None:
    def wait_behind_the_fence(progress: StepProgress) -> None:
        if progress.step is Step.SYNC and progress.spent_seconds is None:
            while not can_write(pair.source):
                time.sleep(0.02)

    with pytest.raises(RefusedError, match="has run out"):
        cut_over(cutover_request(pair, fence_seconds=0.5), wait_behind_the_fence)
    found = store.newest_cutover(cutover_request(pair).target)
    assert found is not None
    assert found.state is State.ABORTED
    assert Step.SYNC not in found.done
    pair.change(NEW_VILLAGE.format(id="afterwards"))
    pair.converge()


def test_a_fence_that_runs_out_at_the_end_does_not_switch(pair: DualRun) -> None:
    def wait_at_the_end(progress: StepProgress) -> None:
        if progress.step is Step.ANALYZE and progress.spent_seconds is not None:
            while not can_write(pair.source):
                time.sleep(0.02)

    with pytest.raises(RefusedError, match="has run out"):
        cut_over(cutover_request(pair, fence_seconds=5.0), wait_at_the_end)
    assert not is_sealed(pair.source)
    pair.change(NEW_VILLAGE.format(id="afterwards"))
    pair.converge()


def test_rows_that_cannot_be_carried_stop_it_before_the_fence(pair: DualRun) -> None:
    run_sqlite(pair.source, """UPDATE "Feedback" SET "state" = 'nonsense' WHERE "id" = 'Feedback-1'""")
    with pytest.raises(FindingsError, match=r"Feedback.state .*not a label"):
        cut_over(cutover_request(pair))
    found = store.newest_cutover(cutover_request(pair).target)
    assert found is not None
    assert (found.state, found.done) == (State.ABORTED, {})


def test_rows_in_quarantine_stop_it(pair: DualRun) -> None:
    run_sqlite(pair.source, """UPDATE "Feedback" SET "state" = 'nonsense' WHERE "id" = 'Feedback-1'""")
    assert pair.sync(policy=Policy.QUARANTINE).ok
    with pytest.raises(FindingsError, match=r"Feedback.state .*not a label"):
        cut_over(cutover_request(pair))
    assert not is_sealed(pair.source)


def test_one_at_a_time(pair: DualRun) -> None:
    request = cutover_request(pair)
    begun = store.begin(request.target, source_path=str(pair.source), is_rehearsal=False, seals_source=True)
    with pytest.raises(RefusedError, match=f"Cut-over {begun.id}, begun .* is not finished"):
        cut_over(request)
    other = replace(request, sqlite_path=pair.folder / "other.db")
    with pytest.raises(RefusedError, match="is about"):
        resume(other)
    assert abort(request).state is State.ABORTED
    for give_up in (abort, resume):
        with pytest.raises(RefusedError, match="no unfinished cut-over"):
            give_up(request)


def test_a_server_that_goes_away_leaves_one_to_be_resumed(pair: DualRun) -> None:
    parts = urlsplit(pair.uri)
    database = parts.path.removeprefix("/")
    admin = parts._replace(path="/postgres").geturl()

    def close_the_door(progress: StepProgress) -> None:
        if progress.step is Step.SEQUENCES and progress.spent_seconds is None:
            run_postgres(admin, f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')

    with pytest.raises(UnreachableError):
        cut_over(cutover_request(pair), close_the_door)
    run_postgres(admin, f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
    assert can_write(pair.source)
    told: list[StepProgress] = []
    assert resume(cutover_request(pair), told.append).state is State.FINISHED
    assert Step.PROOF not in {each.step for each in told}


def test_what_was_written_after_the_fence_fell_is_taken_along(pair: DualRun) -> None:
    def stop_before_the_switch(progress: StepProgress) -> None:
        if progress.step is Step.SWITCH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_over(cutover_request(pair), stop_before_the_switch)
    pair.change(NEW_VILLAGE.format(id="in-between"))
    told: list[StepProgress] = []
    assert resume(cutover_request(pair), told.append).state is State.FINISHED
    assert {Step.BACKUP, Step.SYNC, Step.PROOF} <= {each.step for each in told}
    assert pair.differences() == []
    assert len(list_backups(cutover_request(pair).backup_dir).readable) == 2


def test_a_smoke_test_that_fails_is_repeated_by_going_on(pair: DualRun) -> None:
    run_postgres(pair.uri, 'ALTER TABLE "Notification" RENAME COLUMN "title" TO "moved"')
    with pytest.raises(IntegrityError):
        cut_over(cutover_request(pair))
    run_postgres(pair.uri, 'ALTER TABLE "Notification" RENAME COLUMN "moved" TO "title"')

    def break_a_page(progress: StepProgress) -> None:
        if progress.step is Step.SMOKE and progress.spent_seconds is None:
            run_postgres(pair.uri, 'ALTER TABLE "Notification" RENAME COLUMN "title" TO "moved"')

    with pytest.raises(IntegrityError, match=r"does not work on it: notifications: .*title"):
        cut_over(cutover_request(pair), break_a_page)
    assert is_sealed(pair.source)
    with pytest.raises(RefusedError, match="has made PostgreSQL the truth already"):
        abort(cutover_request(pair))
    run_postgres(pair.uri, 'ALTER TABLE "Notification" RENAME COLUMN "moved" TO "title"')
    assert resume(cutover_request(pair)).state is State.FINISHED
