"""kill -9 in every state of a cut-over: what is left can be resumed, or given up, and nothing is lost."""

import os
import sqlite3

import pytest

from odyssey_assets.cutover import store
from odyssey_assets.cutover.machine import abort
from odyssey_assets.cutover.rollback import roll_back
from odyssey_assets.cutover.steps import State, Step
from odyssey_assets.source.fence import can_write
from odyssey_assets_tests.cutover.killed_switch import (
    AFTER_SEALED,
    AFTER_SWITCHING_NOTED,
    BEFORE_THE_END,
    NEVER,
    POINTS,
    switches,
)
from odyssey_assets_tests.cutover.switching import NEW_VILLAGE, cutover_request, rollback_request
from odyssey_assets_tests.statements import run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun

pytestmark = pytest.mark.slow

ORDER = (
    *(step.value for step in Step if step not in (Step.CERTIFICATE, Step.SMOKE)),
    AFTER_SWITCHING_NOTED,
    AFTER_SEALED,
    Step.CERTIFICATE.value,
    Step.SMOKE.value,
    BEFORE_THE_END,
)
"""The points in the order in which a cut-over reaches them."""

PATIENCE_SECONDS = 20.0

SWITCHED = (Step.CERTIFICATE.value, Step.SMOKE.value, BEFORE_THE_END)
"""Points at which PostgreSQL is the truth, so that giving up is going back."""


GIVEN_UP_AT = (
    ORDER
    if os.environ.get("ODYSSEY_ALL_KILLS") == "1"
    else (Step.PREFLIGHT.value, Step.PROOF.value, AFTER_SWITCHING_NOTED, AFTER_SEALED, Step.CERTIFICATE.value)
)
"""Each kind of state once; with ODYSSEY_ALL_KILLS=1 every point, which takes three times as long."""


def test_every_point_is_tried() -> None:
    assert sorted(ORDER) == sorted(POINTS)


def test_one_that_is_killed_at_every_point_and_resumed_each_time_gets_there(pair: DualRun) -> None:
    with switches(pair) as process:
        how = "cut_over"
        for point in ORDER:
            assert process.go(how, point) == "killed", point
            how = "resume"
        assert process.go(how, NEVER) == State.FINISHED.value
    assert pair.differences() == []
    with pytest.raises(sqlite3.IntegrityError, match="moved to PostgreSQL"):
        run_sqlite(pair.source, NEW_VILLAGE.format(id="late"))


def test_wherever_one_was_killed_it_can_be_given_up(pair: DualRun) -> None:
    request = cutover_request(pair)
    with switches(pair) as process:
        for number, point in enumerate(GIVEN_UP_AT):
            assert process.go("cut_over", point) == "killed", point
            if point in SWITCHED:
                assert roll_back(rollback_request(pair)).cutover.state is State.ROLLED_BACK, point
            else:
                # The keeper takes a moment to see that whoever asked for the fence is gone.
                assert can_write(pair.source, wait_seconds=PATIENCE_SECONDS), point
                assert abort(request).state is State.ABORTED, point
            assert store.unfinished_cutover(request.target) is None, point
            run_sqlite(pair.source, NEW_VILLAGE.format(id=f"after {number}"))
    pair.converge()
