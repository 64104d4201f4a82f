"""Two small tables with checks whose verdicts a test decides, run through Dagster for real.

Belongs here: making runs of any outcome, fast. Does not belong here: what is read from them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from odyssey_assets.metadata import SNAPSHOT_ID

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
Verdicts = Mapping[str, tuple[bool, str] | None]
"""By table and check: whether it passed, and its severity; None for a check that is planned and never evaluated."""

_TABLES = ("User", "Vote")
_CHECKS = ("nulls", "rows_equal")


class Outcome(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What the next run is to report."""

    verdicts: dict[str, Any] = {}  # noqa: RUF012
    publishes: bool = False


@dg.multi_asset(
    name="watched_tables",
    specs=[dg.AssetSpec(table, skippable=True) for table in _TABLES],
    check_specs=[dg.AssetCheckSpec(check, asset=table) for table in _TABLES for check in _CHECKS],
    can_subset=True,
)
def watched_tables(
    context: dg.AssetExecutionContext, outcome: Outcome
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:  # type: ignore[type-arg]
    for name, verdict in outcome.verdicts.items():
        table, check = name.split(".")
        if not verdict:
            raise dg.Failure("This run was told to fail.", allow_retries=False)
        if outcome.publishes:
            yield dg.MaterializeResult(asset_key=table, metadata={SNAPSHOT_ID: "s1"})
        passed, severity = verdict
        yield dg.AssetCheckResult(
            passed=passed,
            asset_key=dg.AssetKey(table),
            check_name=check,
            severity=dg.AssetCheckSeverity(severity),
            description="" if passed else "3 rows differ",
            metadata={"differences": 0 if passed else 3},
        )


def watched_definitions() -> dg.Definitions:
    """The tables with the names of the real jobs, and one more."""
    everything = dg.AssetSelection.assets(watched_tables)
    jobs = [dg.define_asset_job(name, everything) for name in ("migrate", "sync", "verify", "other")]
    return dg.Definitions(
        assets=[watched_tables], jobs=jobs, resources={"outcome": Outcome()}, executor=dg.in_process_executor
    )


def evaluated(instance: dg.DagsterInstance, verdicts: Verdicts, *, job: str = "sync", publishes: bool = False) -> str:
    """Run a job to this outcome; returns the run's id."""
    names = {name.split(".")[0] for name in verdicts}
    keys = [dg.AssetCheckKey(dg.AssetKey(name.split(".")[0]), name.split(".")[1]) for name in verdicts]
    config = {"verdicts": {name: list(each or ()) for name, each in verdicts.items()}}
    selection = dg.AssetSelection.checks(*keys)
    if publishes:
        selection = selection | dg.AssetSelection.assets(*names).without_checks()
    definitions = dg.Definitions(
        assets=[watched_tables],
        jobs=[dg.define_asset_job(job, selection)],
        resources={"outcome": Outcome(publishes=publishes, **config)},
        executor=dg.in_process_executor,
    )
    done = definitions.resolve_job_def(job).execute_in_process(
        instance=instance, raise_on_error=False, run_config=QUIET
    )
    return done.run_id
