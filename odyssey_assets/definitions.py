"""The front door: everything Dagster loads, assembled and nothing else."""

from collections.abc import Iterable

import dagster as dg

from odyssey_assets.assets import odyssey_tables, sqlite_database
from odyssey_assets.jobs import migrate_job, sync_job, verify_job
from odyssey_assets.resources import OdysseyEngine


def build_definitions(*, odyssey: OdysseyEngine | None = None, tables: Iterable[str] | None = None) -> dg.Definitions:
    """The definitions; tests pass an engine of their own, the command line the tables its jobs are about."""
    names = None if tables is None else tuple(tables)
    return dg.Definitions(
        assets=[sqlite_database, odyssey_tables],
        jobs=[migrate_job(names), sync_job(names), verify_job(names)],
        resources={"odyssey": odyssey or OdysseyEngine()},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
