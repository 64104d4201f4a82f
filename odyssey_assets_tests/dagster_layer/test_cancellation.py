"""A run that was canceled ends as canceled, whatever the engine made of the blow; a run that fails by itself fails."""

from pathlib import Path

import dagster as dg
import pytest

from odyssey_assets.errors import OdysseyError, TerminatedRunError, UnreachableError
from odyssey_assets_tests.dagster_layer.conftest import materialized

LOST = UnreachableError("The connection to PostgreSQL was lost.")


@pytest.mark.parametrize(
    ("error", "is_canceled_in_the_ui", "status"),
    [
        (LOST, True, dg.DagsterRunStatus.CANCELED),
        (TerminatedRunError(), False, dg.DagsterRunStatus.CANCELED),
        (LOST, False, dg.DagsterRunStatus.FAILURE),
    ],
)
def test_the_end_of_a_run_tells_whether_somebody_wanted_it(
    surroundings: str,
    source: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    error: OdysseyError,
    is_canceled_in_the_ui: bool,
    status: dg.DagsterRunStatus,
) -> None:
    def broken_off(*_: object) -> None:
        if is_canceled_in_the_ui:
            (record,) = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
            instance.report_run_canceling(record.dagster_run)
        raise error

    monkeypatch.setattr("odyssey_assets.resources.run", broken_off)
    result = materialized(instance, source, selection=dg.AssetSelection.assets("Village"))
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status is status
