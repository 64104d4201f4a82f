"""Which side is the truth, and why nothing should follow SQLite now."""

import pytest

from odyssey_assets.cutover import store
from odyssey_assets.cutover.steps import State
from odyssey_assets.errors import RefusedError
from odyssey_assets.sync.run import run
from odyssey_assets.sync.truth import reason_to_rest, switched_cutover
from odyssey_assets.target.connection import connect
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.sync.dual_run import DualRun
from odyssey_assets_tests.sync.ordinary_role import as_role
from odyssey_assets_tests.sync.requests import verification


def target_of(pair: DualRun) -> TargetUrl:
    return parse_target_url(as_role(pair.uri))


def is_switched(target: TargetUrl) -> bool:
    with connect(target, read_only=True) as connection:
        return switched_cutover(connection, target.schema) is not None


def test_before_any_bookkeeping_sqlite_is(database_uri: str) -> None:
    target = parse_target_url(database_uri)
    assert (is_switched(target), reason_to_rest(target)) == (False, None)


def test_every_state_of_a_cutover_has_its_truth(pair: DualRun) -> None:
    target = target_of(pair)
    begun = store.begin(target, source_path=str(pair.source), is_rehearsal=False, seals_source=True)
    told = {}
    for state in State:
        store.change_state(target, begun, state)
        told[state] = (is_switched(target), (reason_to_rest(target) or "-").split(" since ")[0])
    at_work = f"Cut-over {begun.id} is not finished: it is at work, or waits for odyssey cutover --resume or --abort"
    assert told == {
        State.RUNNING: (False, at_work),
        State.SWITCHING: (True, "PostgreSQL is the truth"),
        State.SWITCHED: (True, "PostgreSQL is the truth"),
        State.FINISHED: (True, "PostgreSQL is the truth"),
        State.REHEARSED: (False, "-"),
        State.ABORTED: (False, "-"),
        State.ROLLED_BACK: (False, "-"),
    }


def test_a_rehearsal_never_makes_postgresql_the_truth(pair: DualRun) -> None:
    target = target_of(pair)
    begun = store.begin(target, source_path=str(pair.source), is_rehearsal=True, seals_source=True)
    assert str(reason_to_rest(target)).startswith(f"Rehearsal {begun.id} is not finished")
    for state in State:
        store.change_state(target, begun, state)
        assert not is_switched(target)


def test_another_schema_is_not_meant(pair: DualRun) -> None:
    target = target_of(pair)
    begun = store.begin(target, source_path=str(pair.source), is_rehearsal=False, seals_source=True)
    store.change_state(target, begun, State.FINISHED)
    assert reason_to_rest(parse_target_url(as_role(pair.uri, schema="other"))) is None


def test_neither_sync_nor_verify_judges_the_truth_by_sqlite(pair: DualRun) -> None:
    target = target_of(pair)
    begun = store.begin(target, source_path=str(pair.source), is_rehearsal=False, seals_source=True)
    store.change_state(target, begun, State.FINISHED)
    with pytest.raises(RefusedError, match="would overwrite what the application wrote") as sync:
        pair.sync()
    request = verification(pair.folder, pair.source, as_role(pair.uri))
    with pytest.raises(RefusedError, match="SQLite no longer says what it should hold") as verify:
        run(request)
    assert "odyssey rollback" in sync.value.hint
    assert "certificate" in verify.value.hint
    store.change_state(target, begun, State.ROLLED_BACK)
    assert run(request).ok
