"""When runs start by themselves.

Belongs here: schedules and their reasons to skip. Does not belong here: reacting to events (``sensors``).
"""

import dagster as dg

from odyssey_assets.configuration import DualRun
from odyssey_assets.errors import OdysseyError
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.waiting import waiting_run

VERIFY_CRON = "7 * * * *"
OBSERVE_CRON = "*/5 * * * *"


def schedules(dual_run: DualRun) -> list[dg.ScheduleDefinition]:
    """All of them; on from the start only during a dual run, and always to be turned on or off in the UI."""
    status = dg.DefaultScheduleStatus.RUNNING if dual_run.is_on else dg.DefaultScheduleStatus.STOPPED
    return [
        _resync(dual_run, status),
        dg.ScheduleDefinition(
            name="verify",
            job_name="verify",
            cron_schedule=VERIFY_CRON,
            default_status=status,
            description="Runs every check once an hour and changes nothing.",
        ),
        dg.ScheduleDefinition(
            name="observe",
            job_name="observe",
            cron_schedule=OBSERVE_CRON,
            default_status=status,
            description="Shows in the UI which tables are behind, without bringing them in step.",
        ),
    ]


def _resync(dual_run: DualRun, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="resync",
        job_name="sync",
        cron_schedule=dual_run.cron,
        default_status=status,
        description="Brings PostgreSQL in step, unless nothing changed on either side or a run waits already.",
    )
    def resync(context: dg.ScheduleEvaluationContext, odyssey: OdysseyEngine) -> dg.RunRequest | dg.SkipReason:
        waiting = waiting_run(context.instance)
        if waiting is not None:
            return dg.SkipReason(f"Run {waiting} waits already and will see everything up to its start.")
        try:
            reason = odyssey.unchanged(frozenset(table.name for table in tables_in_order()))
        except OdysseyError as error:
            # The run itself must fail and be seen to fail; a skipped tick would hide it.
            context.log.warning(f"Could not tell whether anything changed: {error}")
            return dg.RunRequest()
        return dg.SkipReason(reason) if reason else dg.RunRequest()

    return resync
