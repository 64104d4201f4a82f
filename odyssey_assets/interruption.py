"""Ctrl-C and SIGTERM: a command that was asked to end ends soon, in order, and says so.

A signal that strikes in the middle of a driver's call comes back as some other error, and Dagster and the driver take
signals over for themselves while they work in the main thread. So a run works in a thread of its own, where neither
does, and the main thread keeps the signal until the run asks for it.

Belongs here: receiving the two signals. Does not belong here: undoing anything, which the transaction does by itself.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from types import FrameType
from typing import TypeVar

from odyssey_assets.errors import InterruptedRunError, TerminatedRunError
from odyssey_assets.progress import OnProgress, Progress

Result = TypeVar("Result")

_ERRORS = {signal.SIGINT: InterruptedRunError, signal.SIGTERM: TerminatedRunError}


class Interruption:
    """What was received. A signal raises at once, unless a run is at work that will ask by ``check``."""

    def __init__(self) -> None:
        self._received: type[InterruptedRunError] | None = None
        self._is_deferred = False

    def check(self) -> None:
        """Raise InterruptedRunError where a signal came since the run began."""
        if self._received is not None:
            raise self._received()

    def listening(self, on_progress: OnProgress) -> OnProgress:
        """The same, asking at each step whether to go on."""

        def tell(step: Progress) -> None:
            self.check()
            on_progress(step)

        return tell

    def run(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``, done in another thread; a second signal ends the process as a kill would."""
        self._is_deferred = True
        try:
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="run") as pool:
                return pool.submit(copy_context().run, work).result()
        finally:
            self._is_deferred = False

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """The handler of both signals."""
        is_second = self._received is not None
        self._received = _ERRORS[signal.Signals(number)]
        if not self._is_deferred:
            raise self._received()
        if is_second:
            os.write(2, b"odyssey: Ended at once; PostgreSQL takes back what was not committed.\n")
            os._exit(self._received.exit_status)


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Receive both signals while the block runs; outside the main thread, where that is not possible, do nothing."""
    received = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, received.receive) for number in _ERRORS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
