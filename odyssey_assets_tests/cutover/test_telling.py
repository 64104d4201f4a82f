"""What a cut-over says: short, true, and with every number a person plans with."""

from pathlib import Path
from typing import Any, cast

import pytest

from odyssey_assets.carry_back.request import CarriedBack, TableCarriedBack
from odyssey_assets.cutover.request import CutoverRequest
from odyssey_assets.cutover.reset import Reset
from odyssey_assets.cutover.rollback import RollbackRequest, RolledBack
from odyssey_assets.cutover.steps import Cutover, DoneStep, State, Step, StepProgress
from odyssey_assets.cutover.telling import (
    cutover_document,
    question,
    reset_question,
    rollback_document,
    rollback_question,
    rollback_summary,
    step_line,
    summary,
)
from odyssey_assets.source.swap import Swapped
from odyssey_assets.target.url import parse_target_url

TARGET = parse_target_url("postgresql://app:s3cret@db.example.org:5432/odyssey")
FOLDER = Path("/state")
REQUEST = CutoverRequest(Path("/data/dev.db"), TARGET, FOLDER, FOLDER, FOLDER, FOLDER)
ROLLBACK = RollbackRequest(Path("/data/dev.db"), TARGET, FOLDER, FOLDER, FOLDER, FOLDER)
DETAILS: dict[Step, dict[str, object]] = {
    Step.PROOF: {"has_prisma_history": False},
    Step.CERTIFICATE: {"page": "/state/cutover-7.html", "sha256": "abc"},
    Step.SMOKE: {"tests": [{"name": "search", "passed": None}, {"name": "roadmap", "passed": True}]},
}


def cutover(state: State, *, is_rehearsal: bool = False, steps: tuple[Step, ...] = tuple(Step)) -> Cutover:
    """Every step took a second."""
    done = {step: DoneStep(step, 1.0, DETAILS.get(step, {})) for step in reversed(steps)}
    return Cutover(7, state, is_rehearsal, True, "/data/dev.db", "host", 1, None, "begun", "changed", done)


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (StepProgress(Step.SYNC, None), "final sync ..."),
        (StepProgress(Step.SYNC, 12.04), "final sync ... (about 12.0 s)"),
        (StepProgress(Step.SYNC, None, 11.84), "final sync 11.8 s"),
        (StepProgress(Step.SYNC, 12.04, 11.84), "final sync 11.8 s (expected 12.0 s)"),
    ],
)
def test_one_line_a_step(progress: StepProgress, line: str) -> None:
    assert step_line(progress) == line


def test_the_downtime_begins_with_the_fence() -> None:
    document = cutover_document(cutover(State.FINISHED))
    assert document["downtime_seconds"] == len(Step) - 2
    assert [step["step"] for step in document["steps"]] == [step.value for step in Step]


@pytest.mark.parametrize(
    ("state", "is_ok", "is_sealed"),
    [
        (State.FINISHED, True, True),
        (State.REHEARSED, True, False),
        (State.SWITCHED, False, True),
        (State.ABORTED, False, False),
        (State.ROLLED_BACK, False, False),
    ],
)
def test_the_document_says_what_is_so(state: State, is_ok: bool, is_sealed: bool) -> None:
    document = cutover_document(cutover(state))
    assert (document["ok"], document["source_is_sealed"], document["state"]) == (is_ok, is_sealed, state.value)


def test_the_end_has_downtime_certificate_and_lines() -> None:
    told = summary(REQUEST, cutover(State.FINISHED))
    assert told.startswith("PostgreSQL is the truth.\nThe application stood still for 9.0 s.\n")
    assert "Not tried, for there are no rows to try them on: search." in told
    assert "Certificate: /state/cutover-7.html, signed abc." in told
    assert "npx prisma migrate resolve --applied 0_init" in told
    assert "s3cret" not in told


def test_a_rehearsal_says_what_to_plan_for() -> None:
    told = summary(REQUEST, cutover(State.REHEARSED, is_rehearsal=True))
    assert told.startswith("Rehearsed; nothing was switched.\nDowntime to plan for: 9.0 s")


def test_one_that_was_given_up_early_says_only_that() -> None:
    assert summary(REQUEST, cutover(State.ABORTED, steps=(Step.PREFLIGHT,))) == "Given up; SQLite is the truth."


def test_the_question_names_both_sides_and_the_length() -> None:
    asked = question(REQUEST, {})
    assert asked.endswith("Cut over?")
    assert "only a rehearsal tells" in asked
    assert "900 s at most" in asked
    assert "s3cret" not in asked
    expected = {Step.PREFLIGHT: 100.0, Step.SYNC: 20.0, Step.PROOF: 22.0}
    assert "about 42 s as the last time" in question(REQUEST, expected)


def test_the_question_of_a_rehearsal_promises_that_nothing_is_switched() -> None:
    request = CutoverRequest(Path("/data/dev.db"), TARGET, FOLDER, FOLDER, FOLDER, FOLDER, is_rehearsal=True)
    assert question(request, {}).endswith("Nothing will be switched. Rehearse?")
    released = CutoverRequest(Path("/data/dev.db"), TARGET, FOLDER, FOLDER, FOLDER, FOLDER, seals_source=False)
    assert "released, not sealed" in question(released, {})


def test_the_questions_of_the_way_back() -> None:
    plain = rollback_question(ROLLBACK, carries_back=False, resets_target=False)
    assert plain == (
        "SQLite at /data/dev.db becomes the truth again. Nobody can write to PostgreSQL meanwhile. Roll back?"
    )
    full = rollback_question(ROLLBACK, carries_back=True, resets_target=True)
    assert "replaced by a new file" in full
    assert "is emptied" in full
    assert "SQLite at /data/dev.db is the truth already" in reset_question(ROLLBACK)
    assert "s3cret" not in full + reset_question(ROLLBACK)


def test_the_way_back_without_writes() -> None:
    done = RolledBack(cutover(State.ROLLED_BACK), was_sealed=True)
    told = rollback_summary(done, None)
    assert told.startswith("SQLite is the truth again: /data/dev.db.\n")
    assert 'DATABASE_URL="file:/data/dev.db"' in told
    document = rollback_document(done, None)
    assert (document["ok"], document["carried_back"], document["reset"]) == (True, None, None)


def test_the_way_back_with_writes_counts_them_and_names_both_files() -> None:
    tables = (
        TableCarriedBack("User", rows=10, held_rows=0, inserted=1, updated=2, deleted=3, differences=0),
        TableCarriedBack("Vote", rows=20, held_rows=0, inserted=10, updated=0, deleted=0, differences=0),
    )
    carried = CarriedBack(Path("/state/new.db"), "abc", 4096, tables, (), (), {}, cast("Any", None))
    swapped = Swapped(Path("/data/dev.db"), Path("/data/dev.db.old"), ())
    done = RolledBack(cutover(State.ROLLED_BACK), was_sealed=False, carried=carried, swapped=swapped)
    told = rollback_summary(done, Reset(("User", "Vote"), were_dropped=True))
    assert "30 rows, of which 11 came, 2 changed and 3 went since the switch" in told
    assert "The old file is kept at /data/dev.db.old, sealed." in told
    assert "PostgreSQL was emptied: 2 tables dropped." in told
    document = rollback_document(done, Reset(("User",), were_dropped=False))
    assert document["carried_back"]["inserted"] == 11
    assert document["carried_back"]["old_file"] == "/data/dev.db.old"
    assert document["reset"] == {"tables": ["User"], "dropped": False}
