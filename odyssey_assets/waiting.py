"""Runs that were asked for and have not begun: one is enough, for a run takes its snapshot when it begins."""

import dagster as dg

from odyssey_assets.metadata import WRITES_TAG

_NOT_BEGUN = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]


def waiting_run(instance: dg.DagsterInstance) -> str | None:
    """The id of a run that will write and has not begun, or None."""
    waiting = instance.get_run_records(dg.RunsFilter(statuses=_NOT_BEGUN, tags=WRITES_TAG), limit=1)
    return waiting[0].dagster_run.run_id if waiting else None
