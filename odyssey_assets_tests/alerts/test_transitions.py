"""What is news: one message per transition and run, reminders, recoveries; nothing lost and nothing said twice."""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_assets.alerts.observation import Change, Kind, Message, Observation
from odyssey_assets.alerts.state import AlertState
from odyssey_assets.alerts.transitions import judge
from odyssey_assets.findings import Severity
from odyssey_assets_tests.alerts.observing import NOON, green, red

HOUR = 3600.0
LOOKED = AlertState(looked_until=NOON)


def after(state: AlertState, *observations: Observation, at: float = 0) -> AlertState:
    return judge(state, observations, NOON + at, 4 * HOUR)


def news(before: AlertState, state: AlertState) -> list[list[tuple[str, str]]]:
    """Messages that came to the outbox, as changes and subjects."""
    return [
        [(each.change.value, each.observation.name) for each in message.notices] for message in added(before, state)
    ]


def added(before: AlertState, state: AlertState) -> tuple[Message, ...]:
    return state.outbox[len(before.outbox) :]


def delivered(state: AlertState) -> AlertState:
    return replace(state, outbox=())


def test_what_stays_fine_is_no_news() -> None:
    assert after(after(LOOKED, green()), green(at=60)).outbox == ()


def test_a_check_that_turns_red_is_told_once() -> None:
    told = after(LOOKED, red(at=1, rows=3, snapshot="s1"))
    assert news(LOOKED, told) == [[("broken", "Vote.rows_equal")]]
    again = after(told, red(at=61, run="run-b", rows=4))
    assert news(told, again) == []
    assert again.troubles["check:Vote.rows_equal"].latest.rows == 4


def test_a_recovery_says_since_when_and_which_snapshot_it_was_broken() -> None:
    told = after(LOOKED, red(at=1, snapshot="s1"))
    later = after(told, red(at=61, snapshot="s2"))
    fine = after(later, green(at=120))
    (message,) = added(later, fine)
    (notice,) = message.notices
    assert (notice.change, notice.since, notice.since_snapshot) == (Change.RECOVERED, NOON + 1, "s1")
    assert fine.troubles == {}
    assert news(fine, after(fine, green(at=180))) == []


def test_notices_are_grouped_by_run() -> None:
    seen = (red("A.nulls", 1), red("B.nulls", 1), red("sync", 2, kind=Kind.JOB), red("C.nulls", 3, run="run-b"))
    assert news(LOOKED, after(LOOKED, *seen)) == [
        [("broken", "A.nulls"), ("broken", "B.nulls"), ("broken", "sync")],
        [("broken", "C.nulls")],
    ]


def test_overdue_tables_come_in_one_message() -> None:
    seen = [red(name, 1, run=None, kind=Kind.OVERDUE) for name in ("User", "Vote")]
    assert news(LOOKED, after(LOOKED, *seen)) == [[("broken", "User"), ("broken", "Vote")]]


def test_a_red_that_a_later_run_covered_is_told_too() -> None:
    state = after(LOOKED, green(at=20), red(at=10))
    assert news(LOOKED, state) == [[("broken", "Vote.rows_equal")], [("recovered", "Vote.rows_equal")]]


def test_before_the_first_look_only_the_present_counts() -> None:
    fresh = AlertState()
    assert news(fresh, after(fresh, red(at=10), green(at=20))) == []
    assert news(fresh, after(fresh, green(at=10), red(at=20))) == [[("broken", "Vote.rows_equal")]]


def test_old_observations_are_ignored() -> None:
    state = after(LOOKED, green(at=20))
    assert after(state, red(at=10)) == state


def test_another_cause_is_news_and_another_count_is_not() -> None:
    state = after(LOOKED, red("publication", 1, kind=Kind.JOB, cause="was refused"))
    same = after(state, red("publication", 2, kind=Kind.JOB, cause="was refused", rows=5))
    assert news(state, same) == []
    other = after(same, red("publication", 3, kind=Kind.JOB, cause="could not reach a database"))
    assert news(same, other) == [[("changed", "publication")]]


def test_a_warning_that_becomes_an_error_is_news_for_both_kinds_of_channel() -> None:
    state = after(LOOKED, red(at=1, severity=Severity.WARNING))
    worse = after(state, red(at=2))
    (message,) = added(state, worse)
    assert message.notices[0].change is Change.CHANGED
    assert set(message.notices[0].severities) == set(Severity)
    assert news(worse, after(worse, red(at=3, severity=Severity.WARNING))) == []


def test_reminders_come_after_the_set_time_and_again_after_it() -> None:
    told = delivered(after(LOOKED, red("A.nulls", 0), red("B.nulls", 0, run="run-b")))
    assert after(told, at=4 * HOUR - 1).outbox == ()
    reminded = after(told, at=4 * HOUR)
    assert news(told, reminded) == [[("still", "A.nulls"), ("still", "B.nulls")]]
    assert news(delivered(reminded), after(delivered(reminded), at=8 * HOUR - 1)) == []
    assert len(after(delivered(reminded), at=8 * HOUR).outbox) == 1


def test_what_is_not_delivered_yet_needs_no_reminder() -> None:
    waiting = after(LOOKED, red())
    assert after(waiting, at=40 * HOUR).outbox == waiting.outbox


def test_what_recovered_is_not_reminded_of() -> None:
    fine = delivered(after(after(LOOKED, red()), green(at=1)))
    assert after(fine, at=40 * HOUR).outbox == ()


def test_numbers_of_messages_never_repeat() -> None:
    first = after(LOOKED, red(at=1))
    second = after(delivered(first), green(at=2))
    assert [message.number for message in (*first.outbox, *second.outbox)] == [1, 2]


SUBJECTS = ("A.nulls", "B.nulls", "C.nulls")
histories = st.lists(st.dictionaries(st.sampled_from(SUBJECTS), st.booleans(), min_size=1), max_size=10)
"""Runs one after the other, each with the checks it evaluated and whether they were red."""


@given(histories, st.lists(st.integers(0, 30), max_size=6), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_every_transition_is_told_exactly_once_however_the_looks_fall(
    history: list[dict[str, bool]], looks: list[int], overlaps: bool, random: Random
) -> None:
    """Ticks fall between any two verdicts, see them in any order, and see some of them again."""
    verdicts = [(name, is_red, run) for run, checks in enumerate(history) for name, is_red in checks.items()]
    moments = [
        (red if is_red else green)(name, place, run=f"run-{run}") for place, (name, is_red, run) in enumerate(verdicts)
    ]
    state, begin, told = LOOKED, 0, []
    for end in [*sorted(min(each, len(moments)) for each in looks), len(moments)]:
        seen = moments[max(0, begin - 3) if overlaps else begin : end]
        random.shuffle(seen)
        before, state = state, judge(state, seen, NOON + end, 1e9)
        told += [notice for message in added(before, state) for notice in message.notices]
        begin = end
    for subject in SUBJECTS:
        turns, was_red = [], False
        for (name, is_red, _), moment in zip(verdicts, moments, strict=True):
            if name == subject and is_red != was_red:
                turns.append((Change.BROKEN if is_red else Change.RECOVERED, moment.at))
                was_red = is_red
        assert [(each.change, each.observation.at) for each in told if each.observation.name == subject] == turns
    assert all(len({each.observation.run_id for each in message.notices}) == 1 for message in state.outbox)
