"""Drawing streams ahead in a thread, so that reading one database overlaps with work on the other.

Belongs here: the thread, and how far ahead it may be. Does not belong here: what is read, or what is done with it.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Generic, Protocol, TypeVar

BYTES_AHEAD = 32 * 2**20
"""How much may wait: what the reader converts while the server is busy by itself, building indexes above all. Twice and
four times as much was no faster at 1 M rows (measured)."""


class Batch(Protocol):
    """Whatever knows its size."""

    @property
    def nbytes(self) -> int: ...


Item = TypeVar("Item", bound=Batch)


@contextmanager
def prefetched(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """Iterate ``items`` in a thread of its own, which is gone when the block ends, whatever was left unread.

    An exception of the stream is raised where its next item would have come.
    """
    with prefetched_each([items]) as streams:
        yield next(streams)


@contextmanager
def prefetched_each(streams: Iterable[Iterator[Item]]) -> Iterator[Iterator[Iterator[Item]]]:
    """Iterate several streams, one after the other, in one thread, which begins the next while one is still being read.

    The streams come in their order, each for as long as the one after it was not asked for.
    """
    line: _Line[Item] = _Line(BYTES_AHEAD)
    thread = threading.Thread(target=_fill, args=(line, streams), name="prefetch", daemon=True)
    thread.start()
    try:
        yield _streams(line)
    finally:
        line.close()
        thread.join()


class _Mark(Enum):
    STREAM = auto()
    END_OF_STREAM = auto()
    END = auto()


class _Line(Generic[Item]):
    """What was drawn and not taken yet: no more than so many bytes, or one item that is larger."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._waiting: deque[tuple[Item | _Mark | BaseException, int]] = deque()
        self._bytes = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, entry: Item | _Mark | BaseException, size_bytes: int = 0) -> bool:
        """Wait for room; False once nobody takes anything any more."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closed or not self._bytes or self._bytes + size_bytes <= self._limit_bytes
            )
            if not self._is_closed:
                self._waiting.append((entry, size_bytes))
                self._bytes += size_bytes
                self._changed.notify_all()
            return not self._is_closed

    def take(self) -> Item | _Mark | BaseException:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            entry, size_bytes = self._waiting.popleft()
            self._bytes -= size_bytes
            self._changed.notify_all()
            return entry

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()


def _fill(line: _Line[Item], streams: Iterable[Iterator[Item]]) -> None:
    try:
        for items in streams:
            if not (line.put(_Mark.STREAM) and _fill_one(line, items)):
                return
    except BaseException as error:  # noqa: BLE001 - handed over to the reading thread
        line.put(error)
    line.put(_Mark.END)


def _fill_one(line: _Line[Item], items: Iterator[Item]) -> bool:
    try:
        return all(line.put(item, item.nbytes) for item in items) and line.put(_Mark.END_OF_STREAM)
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _streams(line: _Line[Item]) -> Iterator[Iterator[Item]]:
    while (entry := line.take()) is not _Mark.END:
        if isinstance(entry, BaseException):
            raise entry
        items = _items(line)
        yield items
        for _ in items:
            pass


def _items(line: _Line[Item]) -> Iterator[Item]:
    while (entry := line.take()) is not _Mark.END_OF_STREAM:
        if isinstance(entry, BaseException):
            raise entry
        assert not isinstance(entry, _Mark)
        yield entry
