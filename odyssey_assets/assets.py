"""Every Odyssey table as an asset, all of them made by one op in one transaction.

Belongs here: specs and the op. Does not belong here: SQL, Arrow, or any decision about data.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import dagster as dg
from sqlalchemy import Table

from odyssey_assets.cancellation import raise_if_canceled
from odyssey_assets.checks import check_key, check_result, check_specs
from odyssey_assets.configuration import DualRun
from odyssey_assets.errors import OdysseyError, UnreachableError
from odyssey_assets.metadata import (
    MIGRATE_MODE,
    MODE_TAG,
    OWNERS,
    POOL,
    REPORT,
    asset_key,
    content_version,
    outcome_metadata,
    source_key,
    table_metadata,
)
from odyssey_assets.model.schema import parents_of, tables_in_order
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.sync.outcome import Outcome, TableStatus
from odyssey_assets.versions import note_consumed_version


def table_spec(table: Table) -> dg.AssetSpec:
    """The asset of one table; its upstream are the tables its foreign keys point to, itself excepted."""
    return dg.AssetSpec(
        asset_key(table.name),
        deps=[source_key(table.name), *map(asset_key, parents_of(table))],
        description=table.info["description"],
        group_name=table.info["domain"].value,
        kinds={"postgres", "table"},
        owners=OWNERS,
        tags={"odyssey/domain": table.info["domain"].value, "odyssey/side": "target"},
        metadata=table_metadata(table),
    )


@dg.multi_asset(
    name="odyssey_tables",
    specs=[table_spec(table) for table in tables_in_order()],
    check_specs=[spec for table in tables_in_order() for spec in check_specs(table)],
    can_subset=True,
    pool=POOL,
    description="Takes one snapshot of SQLite, brings the selected tables into PostgreSQL in one transaction, and "
    "commits only when every cell is proven equal.",
)
def odyssey_tables(
    context: dg.AssetExecutionContext, odyssey: OdysseyEngine
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:  # type: ignore[type-arg]
    publish = frozenset(key.to_user_string() for key in context.selected_asset_keys)
    checks = frozenset(context.selected_asset_check_keys)
    verify = frozenset(key.asset_key.to_user_string() for key in checks) - publish
    page = odyssey.report_page(context.run.run_id)
    report = {REPORT: dg.MetadataValue.path(page)}
    try:
        outcome = odyssey.publish_and_verify(
            context.run.job_name,
            context.run.run_id,
            publish,
            verify,
            applies_changes=context.run.tags.get(MODE_TAG) != MIGRATE_MODE,
        )
    except OdysseyError as error:
        raise_if_canceled(context.instance, context.run, error)
        raise dg.Failure(str(error), report, allow_retries=isinstance(error, UnreachableError)) from None
    context.log.info(f"The report of this run: {page}")
    yield from _results(context, outcome, publish, checks, report, show_values=odyssey.show_values)
    if outcome.problem:
        raise dg.Failure(f"{outcome.problem} {outcome.hint}", report, allow_retries=False)


def with_overdue_policy(tables: dg.AssetsDefinition, dual_run: DualRun) -> Sequence[dg.AssetsDefinition]:
    """The tables with a freshness policy while the dual run is on, so that overdue re-syncs show and can be alerted."""
    if not dual_run.is_on:
        return [tables]
    policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=dual_run.overdue_minutes))
    return list(dg.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=policy), [tables]))


def _results(
    context: dg.AssetExecutionContext,
    outcome: Outcome,
    publish: frozenset[str],
    checks: frozenset[dg.AssetCheckKey],
    report: Mapping[str, dg.MetadataValue],
    *,
    show_values: bool,
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:  # type: ignore[type-arg]
    """Dagster's events for an outcome; without a commit there are verdicts but no materializations."""
    seen = {table.name for table in outcome.tables}
    missing = (publish | {key.asset_key.to_user_string() for key in checks}) - seen
    if missing:
        raise dg.Failure(f"The run gave no account of {', '.join(sorted(missing))}.", allow_retries=False)
    answered: set[dg.AssetCheckKey] = set()
    for table in outcome.tables:
        if table.status is TableStatus.ABSENT:
            context.log.info(f"{table.name} is absent: version v{outcome.source_version} of the source lacks it.")
            if table.target_rows:
                context.log.warning(f"PostgreSQL holds {table.target_rows:,} rows in {table.name}, left alone.")
            answered |= {key for key in checks if key.asset_key == asset_key(table.name)}
            continue
        answered |= {check_key(check.table, check.name.value) for check in table.checks}
        verdicts = [
            check_result(check, show_values=show_values)
            for check in table.checks
            if check_key(check.table, check.name.value) in checks
        ]
        if table.name in publish and outcome.ok:
            version = content_version(table)
            note_consumed_version(context, table.name, version)
            yield dg.MaterializeResult(
                asset_key=asset_key(table.name),
                metadata={**outcome_metadata(outcome, table), **report},
                data_version=dg.DataVersion(version),
                check_results=verdicts,
            )
        else:
            yield from verdicts
    if outcome.ok and checks - answered:
        unanswered = ", ".join(sorted(f"{key.asset_key.to_user_string()}.{key.name}" for key in checks - answered))
        raise dg.Failure(f"The run gave no verdict on {unanswered}.", allow_retries=False)
