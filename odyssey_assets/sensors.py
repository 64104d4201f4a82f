"""What starts by events instead of by the clock.

Belongs here: sensors. Does not belong here: deciding (``debounce``), or schedules.
"""

import time

import dagster as dg

from odyssey_assets.configuration import DualRun
from odyssey_assets.debounce import look, watch_from
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.waiting import waiting_run

SECONDS_BETWEEN_LOOKS = 5


def source_changed_sensor(dual_run: DualRun) -> dg.SensorDefinition:
    """Sync soon after the source changed, for those who want seconds instead of minutes."""

    @dg.sensor(
        name="source_changed",
        job_name="sync",
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if dual_run.reacts_to_changes else dg.DefaultSensorStatus.STOPPED
        ),
        description="Starts a sync once the SQLite file has changed and come to rest.",
    )
    def source_changed(context: dg.SensorEvaluationContext, odyssey: OdysseyEngine) -> dg.SensorResult:
        watch, is_due = look(
            watch_from(context.cursor), odyssey.source_fingerprint(), time.time(), dual_run.debounce_seconds
        )
        if is_due and waiting_run(context.instance) is not None:
            return dg.SensorResult(skip_reason="A run waits already and will see the change.", cursor=watch.as_text())
        if is_due:
            return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=watch.as_text())
        reason = "The source is still changing." if watch.waiting_since is not None else "The source has not changed."
        return dg.SensorResult(skip_reason=reason, cursor=watch.as_text())

    return source_changed
