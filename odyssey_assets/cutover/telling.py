"""What a cut-over tells: one line a step while it works, and one document at its end.

Belongs here: words and the document. Does not belong here: where they go (``commands``, the Dagster layer).
"""

from typing import Any

from odyssey_assets.cutover.certificate import lines_for_postgresql, lines_for_sqlite, sorted_steps
from odyssey_assets.cutover.request import CutoverRequest
from odyssey_assets.cutover.reset import Reset
from odyssey_assets.cutover.rollback import RollbackRequest, RolledBack
from odyssey_assets.cutover.steps import BEFORE_THE_FENCE, Cutover, State, Step, StepProgress

_VERDICTS = {
    State.FINISHED: "PostgreSQL is the truth",
    State.REHEARSED: "Rehearsed; nothing was switched",
    State.ABORTED: "Given up; SQLite is the truth",
    State.ROLLED_BACK: "Rolled back; SQLite is the truth",
}


def step_line(progress: StepProgress) -> str:
    """``final sync ... (about 12 s)`` when it begins, ``final sync 11.8 s (expected 12.0 s)`` when it has ended."""
    expected = progress.expected_seconds
    if progress.spent_seconds is None:
        return f"{progress.step} ..." + ("" if expected is None else f" (about {expected:.1f} s)")
    return f"{progress.step} {progress.spent_seconds:.1f} s" + (
        "" if expected is None else f" (expected {expected:.1f} s)"
    )


def cutover_document(cutover: Cutover) -> dict[str, Any]:
    """A cut-over as one JSON document."""
    return {
        "ok": cutover.state in (State.FINISHED, State.REHEARSED),
        "id": cutover.id,
        "kind": cutover.kind,
        "state": cutover.state.value,
        "reason": cutover.reason,
        "source": cutover.source_path,
        "source_is_sealed": cutover.seals_source and cutover.state in (State.SWITCHED, State.FINISHED),
        "started_at": cutover.started_at,
        "changed_at": cutover.changed_at,
        "downtime_seconds": round(cutover.downtime_seconds, 1),
        "steps": [
            {"step": step.value, "seconds": done.seconds, "detail": done.detail} for step, done in sorted_steps(cutover)
        ],
    }


def summary(request: CutoverRequest, cutover: Cutover) -> str:
    """What a person needs at the end, and the lines to change."""
    lines = [f"{_VERDICTS.get(cutover.state, cutover.state.value)}."]
    downtime = f"{cutover.downtime_seconds:.1f} s"
    if cutover.state is State.REHEARSED:
        lines.append(f"Downtime to plan for: {downtime}, from the fence to the last smoke test, and the restart.")
    elif cutover.state is State.FINISHED:
        lines.append(f"The application stood still for {downtime}.")
    skipped = [test["name"] for test in _smoke_tests(cutover) if test["passed"] is None]
    if skipped:
        lines.append(f"Not tried, for there are no rows to try them on: {', '.join(skipped)}.")
    certificate = cutover.done.get(Step.CERTIFICATE)
    if certificate is not None:
        lines.append(f"Certificate: {certificate.detail['page']}, signed {certificate.detail['sha256']}.")
        proof = cutover.done[Step.PROOF].detail
        is_known = bool(proof["has_prisma_history"])
        lines += ["", *lines_for_postgresql(request, has_prisma_history=is_known)]
    return "\n".join(lines)


def question(request: CutoverRequest, expected_seconds: dict[Step, float]) -> str:
    """What is about to happen, to be agreed to."""
    known = [seconds for step, seconds in expected_seconds.items() if step not in BEFORE_THE_FENCE]
    length = f"about {sum(known):.0f} s as the last time" if known else "for how long, only a rehearsal tells"
    what = f"The application will not be able to write to {request.sqlite_path}: {length}, and "
    what += f"{request.fence_seconds:.0f} s at most. "
    if request.is_rehearsal:
        return f"{what}Nothing will be switched. Rehearse?"
    sealed = "the SQLite file is sealed" if request.seals_source else "the SQLite file is released, not sealed"
    return f"{what}Then PostgreSQL at {request.target.redacted} is the truth and {sealed}. Cut over?"


def rollback_question(request: RollbackRequest, *, carries_back: bool, resets_target: bool) -> str:
    """What is about to happen, to be agreed to."""
    what = f"SQLite at {request.sqlite_path} becomes the truth again"
    if carries_back:
        what += ", replaced by a new file with what PostgreSQL holds; the old one is kept"
    if resets_target:
        what += f". Then PostgreSQL at {request.target.redacted} is emptied"
    return f"{what}. Nobody can write to PostgreSQL meanwhile. Roll back?"


def reset_question(request: RollbackRequest) -> str:
    """The same where SQLite is the truth already."""
    return (
        f"SQLite at {request.sqlite_path} is the truth already and stays as it is. PostgreSQL at "
        f"{request.target.redacted} is emptied. Reset it?"
    )


def rollback_document(done: RolledBack, reset: Reset | None) -> dict[str, Any]:
    """A way back as one JSON document."""
    carried, swapped = done.carried, done.swapped
    return {
        "ok": True,
        "cutover": done.cutover.id,
        "state": done.cutover.state.value,
        "source": done.cutover.source_path,
        "carried_back": None
        if carried is None
        else {
            "rows": carried.rows,
            "inserted": sum(table.inserted for table in carried.tables),
            "updated": sum(table.updated for table in carried.tables),
            "deleted": sum(table.deleted for table in carried.tables),
            "differences": carried.differences,
            "sha256": carried.sha256,
            "new_file": str(carried.new_file),
            "old_file": None if swapped is None or swapped.kept is None else str(swapped.kept),
        },
        "reset": None if reset is None else {"tables": list(reset.tables), "dropped": reset.were_dropped},
        "back_to_sqlite": list(lines_for_sqlite(done.cutover.source_path)),
    }


def rollback_summary(done: RolledBack, reset: Reset | None) -> str:
    """What a person needs at the end, and the lines to change."""
    lines = [f"SQLite is the truth again: {done.cutover.source_path}."]
    carried = done.carried
    if carried is not None:
        inserted, updated, deleted = (
            sum(getattr(table, kind) for table in carried.tables) for kind in ("inserted", "updated", "deleted")
        )
        lines.append(
            f"It holds what PostgreSQL held, every cell compared: {carried.rows:,} rows, of which {inserted:,} came, "
            f"{updated:,} changed and {deleted:,} went since the switch."
        )
    if done.swapped is not None and done.swapped.kept is not None:
        lines.append(f"The old file is kept at {done.swapped.kept}, sealed.")
    if reset is not None:
        lines.append(f"PostgreSQL was emptied: {len(reset.tables)} tables {_was_done(reset)}.")
    return "\n".join([*lines, "", *lines_for_sqlite(done.cutover.source_path)])


def _was_done(reset: Reset) -> str:
    return "dropped" if reset.were_dropped else "emptied, as Prisma made them"


def _smoke_tests(cutover: Cutover) -> list[dict[str, Any]]:
    done = cutover.done.get(Step.SMOKE)
    tests: Any = [] if done is None else done.detail["tests"]
    return list(tests)
