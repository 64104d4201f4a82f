"""Items drawn ahead are the same items, and the thread that drew them is gone when the block ends."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from odyssey_assets import prefetch
from odyssey_assets.prefetch import prefetched, prefetched_each

AHEAD = 5
"""Items of one byte that may wait."""


@dataclass(frozen=True)
class Numbered:
    number: int
    nbytes: int = 1


class Stream:
    """Counts what was drawn, and remembers whether and in which thread it was closed."""

    def __init__(self, length: int, error: BaseException | None = None, nbytes: int = 1) -> None:
        self.length, self.error, self.nbytes = length, error, nbytes
        self.drawn = 0
        self.closed_in: threading.Thread | None = None

    def items(self) -> Iterator[Numbered]:
        try:
            for number in range(self.length):
                self.drawn += 1
                yield Numbered(number, self.nbytes)
            if self.error is not None:
                raise self.error
        finally:
            self.closed_in = threading.current_thread()

    def wait_until_drawn(self, number: int) -> None:
        """Until so many were drawn, and then long enough that more would be."""
        deadline = time.monotonic() + 5
        while self.drawn < number and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)


def numbers(items: Iterator[Numbered]) -> list[int]:
    return [item.number for item in items]


@pytest.fixture(autouse=True)
def no_thread_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(prefetch, "BYTES_AHEAD", AHEAD)
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("length", [0, 1, AHEAD, AHEAD + 1, 50])
def test_all_items_come_in_order(length: int) -> None:
    stream = Stream(length)
    with prefetched(stream.items()) as ahead:
        assert numbers(ahead) == list(range(length))
        assert numbers(ahead) == []
    assert stream.closed_in not in (None, threading.current_thread())


def test_items_are_drawn_ahead_but_not_without_end() -> None:
    stream = Stream(50)
    with prefetched(stream.items()) as ahead:
        assert next(ahead).number == 0
        stream.wait_until_drawn(AHEAD + 2)
        # One was read, some wait, and one waits for room.
        assert stream.drawn == AHEAD + 2


def test_an_item_larger_than_everything_that_may_wait_comes_alone() -> None:
    stream = Stream(3, nbytes=AHEAD + 1)
    with prefetched(stream.items()) as ahead:
        stream.wait_until_drawn(2)
        assert stream.drawn == 2
        assert numbers(ahead) == [0, 1, 2]


def test_the_next_stream_is_begun_while_one_is_still_read() -> None:
    streams = [Stream(2), Stream(0), Stream(50)]
    with prefetched_each(stream.items() for stream in streams) as ahead:
        first = next(ahead)
        assert next(first).number == 0
        streams[2].wait_until_drawn(AHEAD)
        # One byte of the first stream still waits.
        assert streams[2].drawn == AHEAD
        assert numbers(first) == [1]
        assert [numbers(each) for each in ahead] == [[], list(range(50))]
    assert all(stream.closed_in not in (None, threading.current_thread()) for stream in streams)


def test_a_stream_left_in_the_middle_does_not_run_into_the_next_one() -> None:
    with prefetched_each([Stream(20).items(), Stream(3).items()]) as ahead:
        assert next(next(ahead)).number == 0
        assert numbers(next(ahead)) == [0, 1, 2]
        assert list(ahead) == []


def test_an_error_of_one_stream_does_not_come_in_the_one_before() -> None:
    later = Stream(3)
    with prefetched_each([Stream(2).items(), Stream(1, ValueError("broken")).items(), later.items()]) as ahead:
        assert numbers(next(ahead)) == [0, 1]
        second = next(ahead)
        assert next(second).number == 0
        with pytest.raises(ValueError, match="broken"):
            next(second)
        assert list(ahead) == []
    assert later.drawn == 0


def test_an_error_between_two_streams_comes_between_them() -> None:
    def streams() -> Iterator[Iterator[Numbered]]:
        yield Stream(1).items()
        raise ValueError("no second one")

    with prefetched_each(streams()) as ahead:
        assert numbers(next(ahead)) == [0]
        with pytest.raises(ValueError, match="no second one"):
            next(ahead)


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_stream_left_unread_is_closed(taken: int) -> None:
    stream = Stream(1_000_000)
    with prefetched(stream.items()) as ahead:
        assert [next(ahead).number for _ in range(taken)] == list(range(taken))
    assert stream.closed_in is not None
    assert stream.drawn < 100


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt("stopped")])
def test_an_error_of_the_stream_comes_in_its_place(error: BaseException) -> None:
    with prefetched(Stream(3, error).items()) as ahead:
        assert [next(ahead).number for _ in range(3)] == [0, 1, 2]
        with pytest.raises(type(error)) as raised:
            next(ahead)
        assert raised.value is error


def test_an_error_nobody_came_to_read_is_not_raised() -> None:
    with prefetched(Stream(1, ValueError("broken")).items()) as ahead:
        assert next(ahead).number == 0


def test_an_error_of_the_block_wins() -> None:
    stream = Stream(1, ValueError("of the stream"))
    with pytest.raises(RuntimeError, match="of the block"), prefetched(stream.items()):
        raise RuntimeError("of the block")
    assert stream.closed_in is not None


def test_an_iterator_that_cannot_be_closed_will_do() -> None:
    with prefetched(iter([Numbered(1), Numbered(2)])) as ahead:
        assert numbers(ahead) == [1, 2]
