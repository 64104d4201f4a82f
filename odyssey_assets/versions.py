"""Data versions: telling Dagster which content of SQLite a table was made from.

Dagster looks up the versions of a step's inputs when the step begins, which is before this step knows them, and knows
nothing of what was published without one of its steps.

Belongs here: those calls into Dagster's inside, so that an upgrade breaks in one place and its test. Does not belong
here: what the versions are (``metadata.content_version``).
"""

from collections.abc import Iterator, Mapping

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    NULL_DATA_VERSION,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from odyssey_assets.metadata import DATA_VERSION_TAG, SNAPSHOT_ID, asset_key, entry_version, source_key
from odyssey_assets.model.schema import parents_of, tables_in_order
from odyssey_assets.sync.ledger import LedgerEntry


def note_consumed_version(context: dg.AssetExecutionContext, table: str, version: str) -> None:
    """Record the source table's version now, and let the table's materialization refer to it."""
    key = source_key(table)
    context.log_event(dg.AssetObservation(key, tags={DATA_VERSION_TAG: version}))
    context.op_execution_context.get_step_execution_context().wipe_input_asset_version_info(key)


def publication_events(
    ledger: Mapping[str, LedgerEntry], since: int, made_by: str
) -> Iterator[dg.AssetObservation | dg.AssetMaterialization]:
    """What Dagster would have recorded of every publication after ``since``, had one of its steps made it.

    ``made_by`` stands where Dagster puts the run of a step whose code has no version.
    """
    versions = {name: entry_version(entry) for name, entry in ledger.items()}
    for table in tables_in_order():
        entry = ledger.get(table.name)
        if entry is None or entry.publication <= since:
            continue
        version = versions[table.name]
        inputs = {source_key(table.name): version} | {
            asset_key(parent): versions.get(parent, NULL_DATA_VERSION.value) for parent in parents_of(table)
        }
        yield dg.AssetObservation(source_key(table.name), tags={DATA_VERSION_TAG: version})
        yield dg.AssetMaterialization(
            asset_key(table.name),
            metadata={"dagster/row_count": entry.target.rows, SNAPSHOT_ID: entry.snapshot_id},
            tags={
                DATA_VERSION_TAG: version,
                DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
                CODE_VERSION_TAG: made_by,
                **{get_input_data_version_tag(key): value for key, value in inputs.items()},
                **{get_input_event_pointer_tag(key): NULL_EVENT_POINTER for key in inputs},
            },
        )


def is_shown(instance: dg.DagsterInstance, ledger: Mapping[str, LedgerEntry]) -> bool:
    """Whether the newest materialization of every table is of the content that the ledger has."""
    for table, entry in ledger.items():
        event = instance.get_latest_materialization_event(asset_key(table))
        materialization = None if event is None else event.asset_materialization
        if materialization is None or (materialization.tags or {}).get(DATA_VERSION_TAG) != entry_version(entry):
            return False
    return True


def newest_publication(ledger: Mapping[str, LedgerEntry]) -> int:
    """The number of the newest publication of any table; 0 where nothing was ever published."""
    return max((entry.publication for entry in ledger.values()), default=0)
