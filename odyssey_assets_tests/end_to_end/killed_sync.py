"""A process that syncs and is killed, again and again: one line on its input is one attempt, one on its output its end.

Each attempt is a process of its own, forked where everything is imported already; it kills itself with SIGKILL so many
milliseconds after a phase has begun, in the middle of whatever it does then.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from odyssey_assets.progress import Phase, Progress
from odyssey_assets.sync.outcome import Request
from odyssey_assets.sync.run import run
from odyssey_assets_tests.sync.requests import request_for


class Attempts:
    """The other end of that process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def sync_and_die(self, phase: Phase, after_milliseconds: int) -> int:
        """The signal that ended the attempt, 0 where it came to its own end first."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{phase} {after_milliseconds}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def attempts(folder: Path, source: Path, uri: str) -> Iterator[Attempts]:
    command = [sys.executable, "-m", __name__, str(folder), str(source), uri]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Attempts(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _sync_and_die(request: Request, phase: Phase, after_milliseconds: int) -> None:
    def on_progress(progress: Progress) -> None:
        if progress.phase is not phase:
            return
        if not after_milliseconds:
            _die()
        timer = threading.Timer(after_milliseconds / 1_000, _die)
        timer.daemon = True
        timer.start()

    run(request, on_progress)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str, source: str, uri: str) -> None:
    request = request_for(Path(folder), Path(source), uri, applies_changes=True)
    for line in sys.stdin:
        phase, after_milliseconds = line.split()
        child = os.fork()
        if not child:
            _sync_and_die(request, Phase(phase), int(after_milliseconds))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
