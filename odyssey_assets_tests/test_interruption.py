"""Signals: at once where nothing is at work, kept for the work where something is, at the second time without it."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from odyssey_assets.errors import InterruptedRunError, TerminatedRunError
from odyssey_assets.interruption import Interruption, interruption
from odyssey_assets.progress import Phase, Progress

STEP = Progress(Phase.LOAD)
STUBBORN = """
import threading
from odyssey_assets.interruption import interruption
def never_asks():
    print("ready", flush=True)
    threading.Event().wait(600)
with interruption() as received:
    received.run(never_asks)
"""


@pytest.mark.parametrize(
    ("number", "error", "status"),
    [(signal.SIGINT, InterruptedRunError, 130), (signal.SIGTERM, TerminatedRunError, 143)],
)
def test_outside_a_run_a_signal_raises_at_once(
    number: signal.Signals, error: type[InterruptedRunError], status: int
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(InterruptedRunError) as raised, interruption():
        os.kill(os.getpid(), number)
    assert (raised.type, raised.value.exit_status) == (error, status)
    assert signal.getsignal(number) == before


def test_a_run_is_told_when_it_asks_and_not_before() -> None:
    told: list[Progress] = []
    struck = threading.Event()

    def work(received: Interruption) -> None:
        step = received.listening(told.append)
        step(STEP)
        os.kill(os.getpid(), signal.SIGTERM)
        struck.set()
        while True:
            step(STEP)

    with (
        pytest.raises(TerminatedRunError, match=r"Ended by SIGTERM\. PostgreSQL takes back"),
        interruption() as received,
    ):
        received.run(lambda: work(received))
    assert struck.is_set()
    assert told


def test_without_a_signal_the_run_gives_its_result_or_its_error() -> None:
    with interruption() as received:
        assert received.run(lambda: threading.current_thread().name).startswith("run")
        received.check()
        with pytest.raises(ZeroDivisionError):
            received.run(lambda: 1 // 0)


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    found: list[object] = []

    def look() -> None:
        with interruption():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [before]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_a_run_that_does_not_ask(number: signal.Signals, status: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # Two that come before the first was looked at are one to the system.
        while process.poll() is None:
            process.send_signal(number)
            threading.Event().wait(0.1)
        assert process.stderr is not None
        assert process.returncode == status
        assert process.stderr.read() == "odyssey: Ended at once; PostgreSQL takes back what was not committed.\n"
