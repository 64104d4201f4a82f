"""A process that switches and kills itself at a named point; one line on its input is one attempt, one on its output
its end: the signal that killed it, or 0 and the state it reached.

Each attempt is forked where everything is imported already.

Belongs here: dying at the right moment. Does not belong here: what must come of it (``test_kills``).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from odyssey_assets.cutover import store
from odyssey_assets.cutover.machine import cut_over, resume
from odyssey_assets.cutover.request import CutoverRequest
from odyssey_assets.cutover.steps import State, Step, StepProgress
from odyssey_assets.source.fence import Fence
from odyssey_assets_tests.cutover.switching import cutover_request
from odyssey_assets_tests.sync.dual_run import DualRun

AFTER_SWITCHING_NOTED, AFTER_SEALED, BEFORE_THE_END, NEVER = "switching noted", "sealed", "before the end", "never"
POINTS = (*(step.value for step in Step), AFTER_SWITCHING_NOTED, AFTER_SEALED, BEFORE_THE_END)
"""The beginning of every step, which is the end of the one before it, and in between what the switch itself does."""


class Switches:
    """The other end of that process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def go(self, how: str, point: str) -> str:
        """``cut_over`` or ``resume``, to die at the point; returns ``killed`` or the state that was reached."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{how}|{point}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def switches(pair: DualRun) -> Iterator[Switches]:
    command = [sys.executable, "-m", __name__, str(pair.folder), str(pair.source), pair.uri]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Switches(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _go(request: CutoverRequest, how: str, point: str) -> str:
    """Runs in the forked process, which may be changed at will."""
    seal, change_state = Fence.seal, store.change_state

    def seal_and_die(self: Fence, reason: str) -> None:
        seal(self, reason)
        _die_at(AFTER_SEALED, point)

    def change_and_die(target: Any, cutover: Any, state: State, reason: str | None = None) -> Any:
        if state is State.FINISHED:
            _die_at(BEFORE_THE_END, point)
        changed = change_state(target, cutover, state, reason)
        if state is State.SWITCHING:
            _die_at(AFTER_SWITCHING_NOTED, point)
        return changed

    def on_step(progress: StepProgress) -> None:
        if progress.spent_seconds is None:
            _die_at(progress.step.value, point)

    Fence.seal = seal_and_die  # type: ignore[method-assign]
    store.change_state = change_and_die
    ways: dict[str, Callable[..., Any]] = {"cut_over": cut_over, "resume": resume}
    return str(ways[how](request, on_step).state.value)


def _die_at(here: str, point: str) -> None:
    if here == point:
        os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str, source: str, uri: str) -> None:
    request = cutover_request(DualRun(Path(folder), Path(source), uri))
    for line in sys.stdin:
        how, point = line.strip().split("|")
        read_end, write_end = os.pipe()
        child = os.fork()
        if not child:
            os.write(write_end, _go(request, how, point).encode())
            os._exit(0)
        os.close(write_end)
        _, status = os.waitpid(child, 0)
        with os.fdopen(read_end) as answer:
            reached = answer.read()
        print("killed" if os.WIFSIGNALED(status) else reached, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
