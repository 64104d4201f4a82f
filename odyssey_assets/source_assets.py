"""The SQLite side in the asset graph: the file, and each of its tables with a version of its content.

A table asset is shown as behind when the version of its source table is newer than the one it was made from.

Belongs here: specs and the observation. Does not belong here: finding out what changed (``sync.observe``).
"""

import warnings
from collections.abc import Iterator

import dagster as dg
from sqlalchemy import Table

from odyssey_assets.metadata import OWNERS, ROWS_BEHIND, SQLITE_ASSET, source_key
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.resources import OdysseyEngine

sqlite_database = dg.AssetSpec(
    SQLITE_ASSET,
    description="The SQLite file of Odyssey Feedback: the system of record until the cut-over.",
    group_name="sqlite",
    kinds={"sqlite"},
    owners=OWNERS,
    tags={"odyssey/side": "source"},
)


def source_table_spec(table: Table) -> dg.AssetSpec:
    """One table of the file."""
    return dg.AssetSpec(
        source_key(table.name),
        deps=[SQLITE_ASSET],
        description=f"{table.name} as SQLite holds it; observing it tells how far PostgreSQL is behind.",
        group_name="sqlite",
        kinds={"sqlite", "table"},
        owners=OWNERS,
        tags={"odyssey/side": "source", "odyssey/domain": table.info["domain"].value},
        skippable=True,
    )


with warnings.catch_warnings():
    # Dagster calls it beta; what it does here is pinned by tests.
    warnings.simplefilter("ignore", dg.BetaWarning)
    _observing = dg.multi_observable_source_asset(
        name="observe_sqlite",
        specs=[source_table_spec(table) for table in tables_in_order()],
        can_subset=True,
        description="Takes a snapshot and tells for each table whether it moved on since it was published.",
    )


@_observing  # type: ignore[untyped-decorator]
def observe_sqlite(context: dg.AssetExecutionContext, odyssey: OdysseyEngine) -> Iterator[dg.ObserveResult]:
    names = frozenset(key.path[-1] for key in context.selected_asset_keys)
    for version in odyssey.observe(names):
        known = {} if version.rows_behind is None else {ROWS_BEHIND: version.rows_behind}
        yield dg.ObserveResult(
            asset_key=source_key(version.table), data_version=dg.DataVersion(version.version), metadata=known
        )
