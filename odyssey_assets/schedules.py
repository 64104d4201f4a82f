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
        _looking("verify", VERIFY_CRON, status, "Runs every check once an hour and changes nothing."),
        _looking(
            "observe",
            OBSERVE_CRON,
            status,
            "Shows in the UI which tables are behind, without bringing them in step.",
        ),
        dg.ScheduleDefinition(
            name="backup",
            job_name="backup",
            cron_schedule=dual_run.backup_cron,
            default_status=status,
            description="Backs up both sides once a day, and tries to restore what it took.",
        ),
    ]


def _looking(name: str, cron: str, status: dg.DefaultScheduleStatus, what: str) -> dg.ScheduleDefinition:
    """A schedule of the job of the same name, which looks at how SQLite is followed."""

    @dg.schedule(
        name=name,
        job_name=name,
        cron_schedule=cron,
        default_status=status,
        description=f"{what} Rests once PostgreSQL is the truth.",
    )
    def looking(context: dg.ScheduleEvaluationContext, odyssey: OdysseyEngine) -> dg.RunRequest | dg.SkipReason:
        try:
            reason = odyssey.reason_to_rest()
        except OdysseyError as error:
            # As for a sync: the run itself must fail and be seen to fail.
            context.log.warning(f"Could not tell which side is the truth: {error}")
            return dg.RunRequest()
        return dg.SkipReason(reason) if reason else dg.RunRequest()

    return looking


def _resync(dual_run: DualRun, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="resync",
        job_name="sync",
        cron_schedule=dual_run.cron,
        default_status=status,
        description="Brings PostgreSQL in step, unless nothing changed on either side or a run waits already. Rests "
        "once PostgreSQL is the truth.",
    )
    def resync(context: dg.ScheduleEvaluationContext, odyssey: OdysseyEngine) -> dg.RunRequest | dg.SkipReason:
        waiting = waiting_run(context.instance)
        if waiting is not None:
            return dg.SkipReason(f"Run {waiting} waits already and will see everything up to its start.")
        try:
            reason = odyssey.reason_to_rest() or odyssey.unchanged(frozenset(each.name for each in tables_in_order()))
        except OdysseyError as error:
            # The run itself must fail and be seen to fail; a skipped tick would hide it.
            context.log.warning(f"Could not tell whether anything changed: {error}")
            return dg.RunRequest()
        return dg.SkipReason(reason) if reason else dg.RunRequest()

    return resync
