"""The jobs people and schedules start."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import dagster as dg

from odyssey_assets.assets import odyssey_tables
from odyssey_assets.backup_assets import BACKUP_KEYS, RESTORED_KEYS
from odyssey_assets.metadata import MIGRATE_MODE, MODE_TAG, WRITES_TAG, asset_key
from odyssey_assets.preflight_check import PREFLIGHT_CHECK
from odyssey_assets.source_assets import observe_sqlite

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition


def migrate_job(tables: Iterable[str] | None = None) -> "UnresolvedAssetJobDefinition":
    """Publish tables with their checks; all of them where none are named."""
    return dg.define_asset_job(
        "migrate",
        selection=_assets(tables),
        description="Brings tables from SQLite into an empty PostgreSQL schema and proves every cell equal. Refuses, "
        "with nothing changed, where the target holds rows that differ.",
        tags={**WRITES_TAG, MODE_TAG: MIGRATE_MODE},
    )


def sync_job(tables: Iterable[str] | None = None) -> "UnresolvedAssetJobDefinition":
    """Bring tables that hold rows already in step, by their differences alone."""
    return dg.define_asset_job(
        "sync",
        selection=_assets(tables),
        description="Brings PostgreSQL in step with SQLite: only rows that differ are written, and every cell is "
        "proven equal before the commit.",
        tags=WRITES_TAG,
    )


def verify_job(tables: Iterable[str] | None = None) -> "UnresolvedAssetJobDefinition":
    """Only the checks of tables; of all of them where none are named."""
    selected = odyssey_tables.keys if tables is None else {asset_key(table) for table in tables}
    keys = [spec.key for spec in odyssey_tables.check_specs if spec.asset_key in selected]
    return dg.define_asset_job(
        "verify",
        selection=dg.AssetSelection.checks(*keys),
        description="Runs every integrity check and changes nothing.",
    )


def observe_job() -> "UnresolvedAssetJobDefinition":
    """Observe every table of the SQLite file."""
    return dg.define_asset_job(
        "observe",
        selection=dg.AssetSelection.assets(*observe_sqlite.keys),
        description="Tells for each table of the SQLite file whether it moved on since it was published.",
    )


def preflight_job() -> "UnresolvedAssetJobDefinition":
    """Look at source and target before anything moves."""
    return dg.define_asset_job(
        "preflight",
        selection=dg.AssetSelection.checks(PREFLIGHT_CHECK),
        description="Looks at the SQLite file and at PostgreSQL, changes nothing, and lists everything that stands in "
        "the way of carrying every row.",
    )


def backup_job() -> "UnresolvedAssetJobDefinition":
    """Back up both sides and try a restore of each."""
    return dg.define_asset_job(
        "backup",
        selection=dg.AssetSelection.assets(*BACKUP_KEYS),
        description="Backs up SQLite and PostgreSQL, and restores each backup into scratch to prove that it can be.",
    )


def drill_job() -> "UnresolvedAssetJobDefinition":
    """Try a restore of the newest backups, without taking others."""
    return dg.define_asset_job(
        "drill",
        selection=dg.AssetSelection.checks(*RESTORED_KEYS),
        description="Restores the newest backup of each side into scratch and compares it with what was backed up.",
    )


def _assets(tables: Iterable[str] | None) -> dg.AssetSelection:
    if tables is None:
        return dg.AssetSelection.assets(odyssey_tables)
    return dg.AssetSelection.assets(*(asset_key(table) for table in tables))
