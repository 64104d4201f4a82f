"""What starts by events instead of by the clock.

Belongs here: sensors. Does not belong here: deciding (``debounce``), or schedules.
"""

import time
from functools import cache, partial

import dagster as dg

from odyssey_assets import run_history
from odyssey_assets.alerts.delivery import Sender
from odyssey_assets.alerts.settings import AlertSettings, alert_settings_from_environment
from odyssey_assets.alerts.tick import TickResult, run_tick
from odyssey_assets.configuration import DualRun, Settings, settings_from_environment
from odyssey_assets.debounce import look, watch_from
from odyssey_assets.errors import UnreachableError
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.processes import running_ui
from odyssey_assets.report.store import read_report
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.versions import is_shown, newest_publication, publication_events
from odyssey_assets.waiting import waiting_run

SECONDS_BETWEEN_LOOKS = 5
SECONDS_BETWEEN_ALERTS = 30
SECONDS_BETWEEN_LEDGERS = 30


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
            rest = odyssey.reason_to_rest()
            if rest is not None:
                return dg.SensorResult(skip_reason=rest, cursor=watch.as_text())
            return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=watch.as_text())
        reason = "The source is still changing." if watch.waiting_since is not None else "The source has not changed."
        return dg.SensorResult(skip_reason=reason, cursor=watch.as_text())

    return source_changed


def publications_sensor(dual_run: DualRun) -> dg.SensorDefinition:
    """Show what was published without Dagster, by ``odyssey cutover`` or ``odyssey rollback``."""

    @dg.sensor(
        name="publications",
        minimum_interval_seconds=SECONDS_BETWEEN_LEDGERS,
        default_status=dg.DefaultSensorStatus.RUNNING if dual_run.is_on else dg.DefaultSensorStatus.STOPPED,
        description="Shows in the assets what a cut-over or a rollback published from the command line.",
    )
    def publications(context: dg.SensorEvaluationContext, odyssey: OdysseyEngine) -> dg.SensorResult:
        ledger = odyssey.ledger()
        newest, known = newest_publication(ledger), int(context.cursor or 0)
        if newest <= known:
            return dg.SensorResult(skip_reason=f"Publication {newest} is shown.", cursor=str(newest))
        if not is_shown(context.instance, ledger):
            return dg.SensorResult(
                asset_events=[*publication_events(ledger, known, f"publication {newest}")], cursor=str(newest)
            )
        return dg.SensorResult(skip_reason=f"Publication {newest} was shown by its run.", cursor=str(newest))

    return publications


def alerts_sensor(
    dual_run: DualRun, *, is_on: bool = False, interval_seconds: int = SECONDS_BETWEEN_ALERTS
) -> dg.SensorDefinition:
    """Tell people of what broke, what is overdue, and what is fine again."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED,
        description="Sends a message when a check turns red, a run fails or is refused, or a table is overdue, reminds "
        "of it, and tells when it is fine again. The tick fails while messages cannot be delivered.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        settings = alert_settings_from_environment()
        if not settings.is_on:
            return dg.SensorResult(skip_reason="No alerts are configured.", cursor=context.cursor)
        result = _alerts_tick(context, dual_run, settings, settings_from_environment())
        if result.undelivered:
            raise UnreachableError(
                f"Messages wait that no service takes: {'; '.join(result.undelivered)}.",
                hint="They are tried again at every tick; odyssey alert-test tells which channel works.",
            )
        if result.is_heard is False:
            context.log.warning("The heartbeat URL did not answer.")
        return dg.SensorResult(skip_reason=f"New messages: {result.news}.", cursor=f"{result.looked_until:.3f}")

    return alerts


def _alerts_tick(
    context: dg.SensorEvaluationContext, dual_run: DualRun, settings: AlertSettings, places: Settings
) -> TickResult:
    assert context.repository_def is not None
    watch = run_history.Watch(
        instance=context.instance,
        checks=tuple(context.repository_def.asset_graph.asset_check_keys),
        tables=tuple(table.name for table in tables_in_order()),
        dual_run=dual_run,
        report=cache(partial(read_report, places.report_dir)),
    )
    return run_tick(
        places.state_dir / "alerts",
        settings,
        lambda state: run_history.look(watch, state, time.time()),
        Sender(),
        time.time,
        lambda: running_ui(places),
    )
