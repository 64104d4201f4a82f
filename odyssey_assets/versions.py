"""Data versions: telling Dagster which content of SQLite a table was made from.

Dagster looks up the versions of a step's inputs when the step begins, which is before this step knows them.

Belongs here: that one call into Dagster's inside, so that an upgrade breaks in one place and its test. Does not belong
here: what the versions are (``metadata.content_version``).
"""

import dagster as dg

from odyssey_assets.metadata import DATA_VERSION_TAG, source_key


def note_consumed_version(context: dg.AssetExecutionContext, table: str, version: str) -> None:
    """Record the source table's version now, and let the table's materialization refer to it."""
    key = source_key(table)
    context.log_event(dg.AssetObservation(key, tags={DATA_VERSION_TAG: version}))
    context.op_execution_context.get_step_execution_context().wipe_input_asset_version_info(key)
