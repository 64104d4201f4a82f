"""Runs that a person or the system ended, told to Dagster as what they are: canceled, which is no failure.

Belongs here: telling the two apart after the engine gave up. Does not belong here: signals (``interruption``).
"""

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

from odyssey_assets.errors import InterruptedRunError, OdysseyError


def raise_if_canceled(instance: dg.DagsterInstance, run: dg.DagsterRun, error: OdysseyError) -> None:
    """Raise Dagster's own interruption where ``error`` comes of the run's being canceled; it then ends as CANCELED.

    A cancellation from the UI strikes wherever the run is, also in a driver's call, and looks like a lost connection.
    """
    if isinstance(error, InterruptedRunError):
        instance.report_run_canceling(run)
        raise DagsterExecutionInterruptedError from None
    current = instance.get_run_by_id(run.run_id)
    if current is not None and current.status is dg.DagsterRunStatus.CANCELING:
        raise DagsterExecutionInterruptedError from None
