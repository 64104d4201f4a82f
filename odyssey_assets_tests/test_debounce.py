"""Acting once after a burst, never waiting for ever, and surviving clocks that jump."""

import random

import pytest

from odyssey_assets.debounce import LONGEST_WAIT_FACTOR, Watch, look, watch_from

DEBOUNCE = 3.0


def acted_at(looks: list[tuple[float, str]], watch: Watch) -> list[float]:
    """The times at which a sequence of looks (time, fingerprint) acted."""
    acted = []
    for now, fingerprint in looks:
        watch, is_due = look(watch_from(watch.as_text()), fingerprint, now, DEBOUNCE)
        if is_due:
            acted.append(now)
    return acted


def test_it_acts_once_when_a_burst_has_come_to_rest() -> None:
    looks = [(100, "a"), (101, "b"), (102, "c"), (103, "c"), (104, "c"), (105, "c"), (106, "c"), (500, "c")]
    assert acted_at(looks, Watch(done="old")) == [105]


def test_nothing_new_is_nothing_to_act_on() -> None:
    assert acted_at([(100, "a"), (200, "a")], Watch(done="a")) == []


def test_a_change_taken_back_before_it_was_acted_on_is_none() -> None:
    assert acted_at([(100, "b"), (101, "a"), (200, "a")], Watch(done="a")) == []


def test_a_source_that_never_rests_is_acted_on_all_the_same() -> None:
    acted = acted_at([(float(now), str(now)) for now in range(100, 200)], Watch(done="old"))
    longest = LONGEST_WAIT_FACTOR * DEBOUNCE
    assert acted[0] == 100 + longest
    assert len(acted) == 3


def test_after_acting_the_waiting_begins_anew() -> None:
    assert acted_at([(100, "b"), (103, "b"), (104, "c"), (106, "c"), (107, "c")], Watch(done="a")) == [103, 107]


def test_a_clock_set_back_delays_by_one_debounce_and_not_until_the_old_time_comes_again() -> None:
    assert acted_at([(10_000, "b"), (50, "b"), (52, "b"), (53, "b")], Watch(done="a")) == [53]


def test_a_clock_set_forward_acts_early_and_once() -> None:
    assert acted_at([(50, "b"), (10_000, "b"), (10_001, "b")], Watch(done="a")) == [10_000]


@pytest.mark.parametrize("seed", range(20))
def test_with_any_clock_a_source_at_rest_is_acted_on_within_one_debounce_of_steady_time(seed: int) -> None:
    chance = random.Random(seed)
    looks = [(chance.uniform(0, 10_000), chance.choice("abc")) for _ in range(30)]
    start = chance.uniform(0, 10_000)
    steady = [(start + second, "new") for second in range(10)]
    watch = Watch(done="old")
    for now, fingerprint in looks:
        watch, _ = look(watch, fingerprint, now, DEBOUNCE)
    acted = acted_at(steady, watch)
    assert len(acted) == 1
    assert acted[0] <= start + DEBOUNCE


@pytest.mark.parametrize("text", [None, "", "not json", "[]", "null", "7", '{"unknown": 1}'])
def test_a_cursor_that_cannot_be_read_starts_anew(text: str | None) -> None:
    assert watch_from(text) == Watch()
