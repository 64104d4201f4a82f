"""The way back: what it requires, what it changes, and that nothing is lost on it."""

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from odyssey_assets.cutover import store
from odyssey_assets.cutover.certificate import certificate_path
from odyssey_assets.cutover.machine import cut_over
from odyssey_assets.cutover.rollback import roll_back, roll_back_with_writes, rolled_back_before
from odyssey_assets.cutover.steps import State, Step
from odyssey_assets.errors import IntegrityError, RefusedError
from odyssey_assets.source.fence import can_write, is_sealed, unseal
from odyssey_assets_tests.cutover.switched import copy_of_switched, switched_template
from odyssey_assets_tests.cutover.switching import (
    NEW_VILLAGE,
    NEW_VILLAGE_IN_POSTGRESQL,
    cutover_request,
    rollback_request,
)
from odyssey_assets_tests.statements import ask_sqlite, run_postgres, run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun, Template, copied

VILLAGES = """SELECT "id" FROM "Village" WHERE "id" NOT LIKE 'Village-%' ORDER BY "id" """


@pytest.fixture(scope="module")
def switched(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    with switched_template(template, tmp_path_factory.mktemp("switched")) as made:
        yield made


@pytest.fixture
def pair(switched: Template, tmp_path: Path) -> Iterator[DualRun]:
    with copy_of_switched(switched, tmp_path) as made:
        yield made


def state_of(pair: DualRun) -> State:
    found = store.newest_cutover(cutover_request(pair).target)
    assert found is not None
    return found.state


def test_without_writes_the_same_file_is_the_truth_again(pair: DualRun) -> None:
    inode = pair.source.stat().st_ino
    done = roll_back(rollback_request(pair))
    assert (done.was_sealed, done.carried, done.swapped) == (True, None, None)
    assert (state_of(pair), pair.source.stat().st_ino) == (State.ROLLED_BACK, inode)
    pair.change(NEW_VILLAGE.format(id="afterwards"))
    assert set(pair.converge()) == {"Village"}
    with pytest.raises(RefusedError, match="There is nothing to roll back"):
        roll_back(rollback_request(pair))


def test_a_write_to_postgresql_refuses_it_and_changes_nothing(pair: DualRun) -> None:
    run_postgres(pair.uri, NEW_VILLAGE_IN_POSTGRESQL.format(id="written"))
    with pytest.raises(RefusedError, match="has written to PostgreSQL since the switch, in Village") as refusal:
        roll_back(rollback_request(pair))
    assert "--carry-back" in refusal.value.hint
    assert (is_sealed(pair.source), state_of(pair)) == (True, State.FINISHED)


def test_a_file_that_moved_on_refuses_it_and_names_the_backup(pair: DualRun) -> None:
    unseal(pair.source)
    run_sqlite(pair.source, NEW_VILLAGE.format(id="behind-our-back"))
    found = store.newest_cutover(cutover_request(pair).target)
    assert found is not None
    with pytest.raises(RefusedError, match=r"not what the certificate of cut-over .* says, in Village") as refusal:
        roll_back(rollback_request(pair))
    assert str(found.done[Step.BACKUP].detail["backup"]) in refusal.value.hint
    with pytest.raises(RefusedError, match="was written to after the switch, and these writes would be lost"):
        roll_back_with_writes(rollback_request(pair))
    assert state_of(pair) is State.FINISHED
    assert ask_sqlite(pair.source, VILLAGES) == [("behind-our-back",)]


def test_a_certificate_that_was_changed_is_not_relied_on(pair: DualRun) -> None:
    found = store.newest_cutover(cutover_request(pair).target)
    assert found is not None
    path = certificate_path(rollback_request(pair).certificate_dir, found)
    path.write_text(path.read_text().replace('"rows": 4', '"rows": 5', 1))
    with pytest.raises(IntegrityError, match="was changed after it was signed"):
        roll_back(rollback_request(pair))
    path.unlink()
    assert roll_back(rollback_request(pair)).was_sealed


def test_another_file_is_refused(pair: DualRun) -> None:
    other = pair.folder / "other.db"
    run_sqlite(other, "CREATE TABLE t (a)")
    with pytest.raises(RefusedError, match=r"was about .*odyssey\.db, not about .*other\.db") as refusal:
        roll_back(replace(rollback_request(pair), sqlite_path=other))
    assert refusal.value.hint == f"Name it with --sqlite {pair.source}."


def test_a_kill_between_the_note_and_the_seal_is_made_up_for(pair: DualRun) -> None:
    found = store.newest_cutover(cutover_request(pair).target)
    assert found is not None
    store.change_state(cutover_request(pair).target, found, State.ROLLED_BACK)
    assert rolled_back_before(rollback_request(pair)) is None
    with pytest.raises(RefusedError, match="was rolled back already"):
        roll_back_with_writes(rollback_request(pair))
    assert roll_back(rollback_request(pair)).was_sealed
    assert can_write(pair.source)
    assert rolled_back_before(rollback_request(pair)) is not None


def test_a_writer_to_postgresql_waits_and_is_not_lost(pair: DualRun) -> None:
    """Its transaction is open when the way back begins; it is seen, or waits until SQLite is the truth."""
    with psycopg.connect(pair.uri) as writer:
        writer.execute(NEW_VILLAGE_IN_POSTGRESQL.format(id="late"))
        release = threading.Timer(1.0, writer.commit)
        release.start()
        with pytest.raises(RefusedError, match="has written to PostgreSQL"):
            roll_back(rollback_request(pair))
        release.join()
    assert state_of(pair) is State.FINISHED


def test_with_writes_a_new_file_is_the_truth_and_both_are_kept(pair: DualRun) -> None:
    run_postgres(pair.uri, NEW_VILLAGE_IN_POSTGRESQL.format(id="written"))
    run_postgres(pair.uri, """UPDATE "Badge" SET "name" = 'renamed' WHERE "id" = 'Badge-0'""")
    run_postgres(pair.uri, """DELETE FROM "Vote" WHERE "id" = 'Vote-3'""")
    done = roll_back_with_writes(rollback_request(pair))
    assert done.carried is not None
    assert done.swapped is not None
    assert done.outcome is not None
    assert (done.carried.differences, state_of(pair)) == (0, State.ROLLED_BACK)
    assert pair.differences() == []
    assert ask_sqlite(pair.source, VILLAGES) == [("written",)]
    assert done.swapped.kept is not None
    assert ask_sqlite(done.swapped.kept, VILLAGES) == []
    assert is_sealed(done.swapped.kept)
    with pytest.raises(sqlite3.IntegrityError, match="moved to PostgreSQL"):
        run_sqlite(done.swapped.kept, NEW_VILLAGE.format(id="into-the-old"))
    assert rolled_back_before(rollback_request(pair)) is not None
    # Then the dual run goes on, and another switch can come.
    pair.change(NEW_VILLAGE.format(id="afterwards"))
    assert set(pair.converge()) == {"Village"}


def test_without_the_snapshot_of_the_switch_its_backup_is_asked_for(pair: DualRun) -> None:
    run_postgres(pair.uri, NEW_VILLAGE_IN_POSTGRESQL.format(id="written"))
    pair.forget_snapshots()
    request = rollback_request(pair)
    with pytest.raises(RefusedError, match="is no longer at hand") as refusal:
        roll_back_with_writes(request)
    assert "odyssey restore" in refusal.value.hint
    (backup,) = request.certificate_dir.with_name("backups").glob("*/*.db")
    assert roll_back_with_writes(replace(request, base=backup)).carried is not None
    assert ask_sqlite(pair.source, VILLAGES) == [("written",)]


def test_there_is_no_way_back_from_what_did_not_happen(template: Template, tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    with copied(template, tmp_path / "fresh") as fresh:
        for way in (roll_back, roll_back_with_writes):
            with pytest.raises(RefusedError, match="There is nothing to roll back"):
                way(rollback_request(fresh))
        assert rolled_back_before(rollback_request(fresh)) is None
        request = cutover_request(fresh)
        begun = store.begin(request.target, source_path=str(fresh.source), is_rehearsal=False, seals_source=True)
        with pytest.raises(RefusedError, match="There is nothing to roll back") as refusal:
            roll_back(rollback_request(fresh))
        assert "--abort" in refusal.value.hint
        store.change_state(request.target, begun, State.ABORTED)
        assert rolled_back_before(rollback_request(fresh)) is not None


def test_after_the_way_back_one_can_switch_again(pair: DualRun) -> None:
    roll_back(rollback_request(pair))
    assert cut_over(cutover_request(pair)).state is State.FINISHED
