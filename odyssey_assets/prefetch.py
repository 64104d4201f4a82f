"""Drawing a stream ahead in a thread, so that reading one database overlaps with work on the other."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Full, Queue
from typing import TypeVar

Item = TypeVar("Item")

BATCHES_AHEAD = 2
"""Enough to keep both databases busy; each batch more costs its memory."""

_PATIENCE_SECONDS = 0.2


@contextmanager
def prefetched(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """Iterate ``items`` in a thread of its own, which is gone when the block ends, whatever was left unread.

    An exception of the stream is raised where its next item would have come.
    """
    queue: Queue[tuple[Item | None, BaseException | None]] = Queue(BATCHES_AHEAD)
    is_over = threading.Event()

    def put(entry: tuple[Item | None, BaseException | None]) -> None:
        while not is_over.is_set():
            try:
                queue.put(entry, timeout=_PATIENCE_SECONDS)
            except Full:
                continue
            return

    def fill() -> None:
        try:
            for item in items:
                put((item, None))
                if is_over.is_set():
                    break
            put((None, StopIteration()))
        except BaseException as error:  # noqa: BLE001 - handed over to the reading thread
            put((None, error))
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    def drain() -> Iterator[Item]:
        while True:
            item, error = queue.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            assert item is not None
            yield item

    thread = threading.Thread(target=fill, name="prefetch", daemon=True)
    thread.start()
    try:
        yield drain()
    finally:
        is_over.set()
        thread.join()
