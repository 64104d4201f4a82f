"""The order of a cut-over's steps, and how it goes on after it was broken off anywhere.

A step counts as done once it is noted in the target. What was done behind the fence counts only while the SQLite file
is, byte for byte, the one that was backed up then; otherwise it is done again.

Belongs here: order, state, resuming and giving up. Does not belong here: the steps (``work``), the way back
(``rollback``).
"""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

import psutil

from odyssey_assets.cutover import store, work
from odyssey_assets.cutover.certificate import write_certificate
from odyssey_assets.cutover.request import CutoverRequest
from odyssey_assets.cutover.steps import (
    UNDER_THE_FENCE,
    Cutover,
    Detail,
    DoneStep,
    OnStep,
    State,
    Step,
    StepProgress,
)
from odyssey_assets.errors import IntegrityError, OdysseyError, RefusedError, UnreachableError
from odyssey_assets.progress import OnProgress, Progress
from odyssey_assets.source.fence import Fence, fenced, is_sealed, unseal
from odyssey_assets.source.snapshot import Snapshot, kept_snapshot


@dataclass(frozen=True)
class _Going:
    """A cut-over under way in this process."""

    request: CutoverRequest
    on_step: OnStep
    on_progress: OnProgress
    expected_seconds: dict[Step, float]


def cut_over(
    request: CutoverRequest, on_step: OnStep = lambda _: None, on_progress: OnProgress = lambda _: None
) -> Cutover:
    """Carry a new cut-over, or its rehearsal, to its end.

    Raises what stopped it. Stopped before the switch by a verdict or a guard, it is aborted, and nothing has changed
    but what a sync changes; stopped in any other way it can be resumed.
    """
    if is_sealed(request.sqlite_path):
        raise RefusedError(
            f"The SQLite file {request.sqlite_path} is sealed by an earlier cut-over.",
            hint="If that was taken back, odyssey rollback takes the seal away as well.",
        )
    cutover = store.begin(
        request.target,
        source_path=str(request.sqlite_path),
        is_rehearsal=request.is_rehearsal,
        seals_source=request.seals_source,
    )
    return _go_on(request, cutover, on_step, on_progress)


def resume(
    request: CutoverRequest, on_step: OnStep = lambda _: None, on_progress: OnProgress = lambda _: None
) -> Cutover:
    """Go on with the one that was broken off, as it was asked for then. Raises RefusedError where there is none."""
    found = _unfinished(request)
    if found.source_path != str(request.sqlite_path):
        raise RefusedError(
            f"The unfinished {found.kind} {found.id} is about {found.source_path}, not about {request.sqlite_path}.",
            hint=f"Name it with --sqlite {found.source_path}.",
        )
    asked = replace(request, is_rehearsal=found.is_rehearsal, seals_source=found.seals_source)
    return _go_on(asked, store.take_over(request.target, found), on_step, on_progress)


def abort(request: CutoverRequest) -> Cutover:
    """Give up the one that was broken off; SQLite stays the truth. Raises RefusedError once PostgreSQL is."""
    found = _unfinished(request)
    if found.state is State.SWITCHED:
        raise RefusedError(
            f"Cut-over {found.id} has made PostgreSQL the truth already.",
            hint="Go on with odyssey cutover --resume, or go back with odyssey rollback.",
        )
    if found.state is State.SWITCHING:
        unseal(request.sqlite_path)
    return store.change_state(request.target, found, State.ABORTED, "given up")


def _unfinished(request: CutoverRequest) -> Cutover:
    found = store.unfinished_cutover(request.target)
    if found is None:
        raise RefusedError("There is no unfinished cut-over.", hint="Begin one with odyssey cutover.")
    if found.host == socket.gethostname() and _is_running(found.process_id):
        raise RefusedError(
            f"{found.kind.capitalize()} {found.id} is still running in process {found.process_id}.",
            hint="Wait for it, or end that process first.",
        )
    return found


def _is_running(process_id: int) -> bool:
    """Whether the process is there and not another one that got its number."""
    if process_id == os.getpid():
        return False
    try:
        return any("odyssey" in part for part in psutil.Process(process_id).cmdline())
    except psutil.Error:
        return False


def _go_on(request: CutoverRequest, cutover: Cutover, on_step: OnStep, on_progress: OnProgress) -> Cutover:
    going = _Going(request, on_step, on_progress, dict(store.expected_seconds(request.target)))
    try:
        if cutover.state is not State.SWITCHED:
            cutover = _up_to_the_switch(going, cutover)
        return _after_the_switch(going, cutover)
    except UnreachableError:
        raise
    except OdysseyError as error:
        _give_up(going, cutover, error)


def _give_up(going: _Going, cutover: Cutover, error: OdysseyError) -> NoReturn:
    """Abort what a verdict or a guard has stopped before the switch; after it, only going on or back is left."""
    found = store.unfinished_cutover(going.request.target)
    if found is not None and found.id == cutover.id and found.state is State.RUNNING:
        store.change_state(going.request.target, found, State.ABORTED, error.message)
    raise error


def _up_to_the_switch(going: _Going, cutover: Cutover) -> Cutover:
    request = going.request
    if cutover.state is State.SWITCHING and is_sealed(request.sqlite_path):
        # Broken off between the seal and its note; a sealed file is the one that was proven.
        return _switched(going, cutover, 0.0)
    cutover = _step(going, cutover, Step.PREFLIGHT, lambda: work.look_ahead(request, going.on_progress))
    cutover = _step(going, cutover, Step.SYNC_AHEAD, lambda: work.sync_ahead(request, going.on_progress))
    going.on_step(StepProgress(Step.FENCE, going.expected_seconds.get(Step.FENCE)))
    began = time.perf_counter()
    with fenced(request.sqlite_path, seconds=request.fence_seconds, wait_seconds=request.wait_seconds) as fence:
        cutover = _note(going, cutover, Step.FENCE, began, {"seconds": request.fence_seconds})
        cutover = _behind_the_fence(going, cutover, fence)
        if not request.is_rehearsal:
            cutover = _switch(going, cutover, fence)
    return cutover


def _behind_the_fence(going: _Going, cutover: Cutover, fence: Fence) -> Cutover:
    request = going.request

    def watched(progress: Progress) -> None:
        if fence.has_fallen:
            raise fence.fallen()
        going.on_progress(progress)

    began = time.perf_counter()
    snapshot = work.take_final_snapshot(request)
    known = _snapshot_backed_up(request, cutover)
    if known is not None and known.sha256 == snapshot.sha256:
        snapshot = known
    else:
        if cutover.state is State.SWITCHING:
            cutover = store.change_state(request.target, cutover, State.RUNNING)
        cutover = store.forget_steps(request.target, cutover, UNDER_THE_FENCE)
    note = f"{cutover.kind} {cutover.id}"
    cutover = _step(going, cutover, Step.BACKUP, lambda: work.back_up(request, snapshot, note), began)
    cutover = _step(going, cutover, Step.SYNC, lambda: work.final_sync(request, snapshot, watched))
    cutover = _step(going, cutover, Step.PROOF, lambda: work.prove(request, snapshot, watched))
    cutover = _step(going, cutover, Step.SEQUENCES, lambda: work.set_sequences(request))
    cutover = _step(going, cutover, Step.ANALYZE, lambda: work.analyze(request))
    fence.require_standing()
    return cutover


def _snapshot_backed_up(request: CutoverRequest, cutover: Cutover) -> Snapshot | None:
    done = cutover.done.get(Step.BACKUP)
    return None if done is None else kept_snapshot(request.snapshot_dir, str(done.detail["snapshot"]))


def _switch(going: _Going, cutover: Cutover, fence: Fence) -> Cutover:
    """The last fence: from here on PostgreSQL is the truth, and SQLite sealed if that was asked for."""
    began = time.perf_counter()
    going.on_step(StepProgress(Step.SWITCH, going.expected_seconds.get(Step.SWITCH)))
    cutover = store.change_state(going.request.target, cutover, State.SWITCHING)
    if cutover.seals_source:
        fence.seal(f"Odyssey moved to PostgreSQL with cut-over {cutover.id}; this SQLite file is sealed.")
    else:
        fence.require_standing()
    return _switched(going, cutover, began)


def _switched(going: _Going, cutover: Cutover, began: float) -> Cutover:
    cutover = store.change_state(going.request.target, cutover, State.SWITCHED)
    return _note(going, cutover, Step.SWITCH, began or time.perf_counter(), {"source_is_sealed": cutover.seals_source})


def _after_the_switch(going: _Going, cutover: Cutover) -> Cutover:
    request = going.request
    certified = cutover
    cutover = _step(going, cutover, Step.CERTIFICATE, lambda: write_certificate(request, certified))
    # Every time anew: what failed before has been looked after since.
    cutover = store.forget_steps(request.target, cutover, [Step.SMOKE])
    cutover = _step(going, cutover, Step.SMOKE, lambda: work.smoke_test(request))
    failed = work.failed_smoke_tests(cutover.done[Step.SMOKE].detail)
    if failed:
        raise IntegrityError(
            f"PostgreSQL holds what SQLite held, but the application does not work on it: {'; '.join(failed)}.",
            hint="Mend it and go on with odyssey cutover --resume, or go back with odyssey rollback."
            if not cutover.is_rehearsal
            else "Nothing was switched.",
        )
    end = State.REHEARSED if cutover.is_rehearsal else State.FINISHED
    return store.change_state(request.target, cutover, end)


def _step(going: _Going, cutover: Cutover, step: Step, do: Callable[[], Detail], began: float | None = None) -> Cutover:
    """Do a step and note it, unless it is noted already. ``began`` is where its work began before."""
    if step in cutover.done:
        return cutover
    going.on_step(StepProgress(step, going.expected_seconds.get(step)))
    began = time.perf_counter() if began is None else began
    return _note(going, cutover, step, began, do())


def _note(going: _Going, cutover: Cutover, step: Step, began: float, detail: Detail) -> Cutover:
    done = DoneStep(step, round(time.perf_counter() - began, 3), detail)
    cutover = store.note_done(going.request.target, cutover, done)
    going.on_step(StepProgress(step, going.expected_seconds.get(step), done.seconds))
    return cutover
