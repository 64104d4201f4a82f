"""The calibration itself: every fault is caught, none lights more than it should, and a blind check would be seen."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.calibration.engine_faults import BLIND_FAULTS, in_place_of
from odyssey_assets.calibration.faults import ORPHAN, ROW_FAULTS, SCHEMA_FAULTS, SOURCE_FAULTS
from odyssey_assets.calibration.pair import clean_pair
from odyssey_assets.calibration.resync_faults import REBUILD_FAULTS, RESYNC_FAULTS
from odyssey_assets.calibration.table import WRONG, as_document, as_markdown
from odyssey_assets.calibration.trial import Series, Trial
from odyssey_assets.calibration.trials import calibrate, target_trial
from odyssey_assets.compare.checks import CheckName
from odyssey_assets.compare.differences import Comparison
from odyssey_assets.configuration import PROJECT_DIR
from odyssey_assets.sync import prove
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.statements import ask_postgres

SCALE = 0.05
BYSTANDERS = None if os.environ.get("ODYSSEY_ALL_BYSTANDERS") == "1" else frozenset({"Vote", "Event"})
"""Where false alarms are looked for, beside what these refer to; with ODYSSEY_ALL_BYSTANDERS=1 in every table."""

CAUGHT = Trial(Series.TARGET, "fault", "T", frozenset({CheckName.NULLS}), frozenset({CheckName.NULLS}))


@pytest.fixture(scope="module")
def admin_uri(server: EmbeddedServer) -> str:
    return server.uri_of("postgres")


@pytest.mark.timeout(900)
def test_every_fault_is_caught_by_the_checks_it_should_be_and_the_documented_table_says_so(
    admin_uri: str, tmp_path: Path
) -> None:
    trials = list(calibrate(admin_uri, tmp_path, SCALE, lambda _: None, bystanders=BYSTANDERS))
    assert [trial for trial in trials if not trial.is_right] == []
    planted = {series: {trial.fault for trial in trials if trial.series is series} for series in Series}
    assert planted[Series.TARGET] == {fault.name for fault in (*ROW_FAULTS, *SCHEMA_FAULTS)}
    assert planted[Series.WRITING] == {fault.name for fault in (*ROW_FAULTS, ORPHAN, *REBUILD_FAULTS)}
    assert planted[Series.RESYNC] == {"no fault", *(fault.name for fault in RESYNC_FAULTS)}
    assert planted[Series.PROVING] == {fault.name for fault in BLIND_FAULTS}
    assert planted[Series.SOURCE] == {fault.name for fault in SOURCE_FAULTS}
    unlit = set(CheckName) - {name for trial in trials for name in trial.lit}
    assert unlit == set()
    silent = {trial.fault for trial in trials if not trial.lit and not trial.is_refused}
    mended = {fault.name for fault in RESYNC_FAULTS if not fault.expected}
    assert silent == {"no fault", *mended} | planted[Series.CLEAN]
    assert as_markdown(trials) in (PROJECT_DIR / "docs" / "proof.md").read_text()
    assert as_document(trials, SCALE, 1.0)["ok"] is True
    left = ask_postgres(admin_uri, "SELECT datname FROM pg_database WHERE datname LIKE 'odyssey\\_calibration%'")
    assert left == []


def muted(real: Callable[..., Comparison]) -> Callable[..., Comparison]:
    """A comparison that says of changed rows that they are equal."""

    def compare_rows(*arguments: Any, **options: Any) -> Comparison:
        return replace(real(*arguments, **options), changed_rows=0, listed=())

    return compare_rows


def test_a_check_that_went_blind_makes_the_calibration_fail(admin_uri: str, tmp_path: Path) -> None:
    fault = next(each for each in ROW_FAULTS if each.name == "one millisecond")
    with clean_pair(admin_uri, tmp_path, SCALE) as made:
        pair = replace(made, bystanders=BYSTANDERS).about(fault.table)
        assert target_trial(admin_uri, pair, fault, Series.TARGET).is_right
        with in_place_of(prove, "compare_rows", muted):
            trial = target_trial(admin_uri, pair, fault, Series.TARGET)
    assert (trial.is_right, trial.is_named, trial.lit) == (False, False, {CheckName.TAMPERING})
    assert f"{WRONG}: expected rows_equal, tampering; the place is not named" in as_markdown([trial])


@pytest.mark.parametrize(
    ("trial", "is_right"),
    [
        (CAUGHT, True),
        (replace(CAUGHT, lit=frozenset()), False),
        (replace(CAUGHT, lit=CAUGHT.lit | {CheckName.SCHEMA}), False),
        (replace(CAUGHT, elsewhere=("Vote.nulls",)), False),
        (replace(CAUGHT, is_named=False), False),
        (replace(CAUGHT, is_refused=True), False),
        (replace(CAUGHT, expects_refusal=True), False),
        (replace(CAUGHT, is_committed=True), False),
    ],
    ids=[
        "as expected",
        "missed",
        "more checks",
        "other tables",
        "not named",
        "refused",
        "not refused",
        "committed",
    ],
)
def test_a_trial_is_right_only_when_all_of_it_is(trial: Trial, is_right: bool) -> None:
    assert trial.is_right is is_right
    assert (WRONG in as_markdown([trial])) is not is_right
    assert as_document([CAUGHT, trial], SCALE, 1.0)["ok"] is is_right
