"""Runs that were asked for and have not begun: one is enough, for a run takes its snapshot when it begins."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from odyssey_assets.metadata import WRITES_TAG

SUBMITTED_WITHIN = timedelta(minutes=5)
"""A run that was made and is in no queue by then was left behind by a killed process, and never begins."""


def waiting_run(instance: dg.DagsterInstance) -> str | None:
    """The id of a run that will write and has not begun, or None."""
    for status, made_after in (
        (dg.DagsterRunStatus.QUEUED, None),
        (dg.DagsterRunStatus.NOT_STARTED, datetime.now(UTC) - SUBMITTED_WITHIN),
    ):
        wanted = dg.RunsFilter(statuses=[status], tags=WRITES_TAG, created_after=made_after)
        waiting = instance.get_run_records(wanted, limit=1)
        if waiting:
            return waiting[0].dagster_run.run_id
    return None
