"""Items drawn ahead are the same items, and the thread that drew them is gone when the block ends."""

import threading
import time
from collections.abc import Iterator

import pytest

from odyssey_assets.prefetch import BATCHES_AHEAD, prefetched


class Stream:
    """Counts what was drawn, and remembers whether and in which thread it was closed."""

    def __init__(self, length: int, error: BaseException | None = None) -> None:
        self.length, self.error = length, error
        self.drawn = 0
        self.closed_in: threading.Thread | None = None

    def items(self) -> Iterator[int]:
        try:
            for number in range(self.length):
                self.drawn += 1
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.closed_in = threading.current_thread()


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("length", [0, 1, BATCHES_AHEAD, BATCHES_AHEAD + 1, 50])
def test_all_items_come_in_order(length: int) -> None:
    stream = Stream(length)
    with prefetched(stream.items()) as ahead:
        assert list(ahead) == list(range(length))
        assert list(ahead) == []
    assert stream.closed_in not in (None, threading.current_thread())


def test_items_are_drawn_ahead_but_not_without_end() -> None:
    stream = Stream(50)
    with prefetched(stream.items()) as ahead:
        assert next(ahead) == 0
        deadline = time.monotonic() + 5
        while stream.drawn < BATCHES_AHEAD + 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)
        # One was read, some wait in the queue, and one waits for room there.
        assert stream.drawn == BATCHES_AHEAD + 2


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_stream_left_unread_is_closed(taken: int) -> None:
    stream = Stream(1_000_000)
    with prefetched(stream.items()) as ahead:
        assert [next(ahead) for _ in range(taken)] == list(range(taken))
    assert stream.closed_in is not None
    assert stream.drawn < 100


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt("stopped")])
def test_an_error_of_the_stream_comes_in_its_place(error: BaseException) -> None:
    with prefetched(Stream(3, error).items()) as ahead:
        assert [next(ahead) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(type(error)) as raised:
            next(ahead)
        assert raised.value is error


def test_an_error_nobody_came_to_read_is_not_raised() -> None:
    with prefetched(Stream(1, ValueError("broken")).items()) as ahead:
        assert next(ahead) == 0


def test_an_error_of_the_block_wins() -> None:
    stream = Stream(1, ValueError("of the stream"))
    with pytest.raises(RuntimeError, match="of the block"), prefetched(stream.items()):
        raise RuntimeError("of the block")
    assert stream.closed_in is not None


def test_an_iterator_that_cannot_be_closed_will_do() -> None:
    with prefetched(iter([1, 2, 3])) as ahead:
        assert list(ahead) == [1, 2, 3]
