"""The backups of both sides as assets, each with the check that it was restored.

A backup that was never restored does not count: whenever one is taken the check fails until a drill of it has passed.

Belongs here: Dagster's form of it. Does not belong here: taking and trying backups (``backup``).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from odyssey_assets.backup.manifest import Kind, Manifest
from odyssey_assets.errors import OdysseyError, UnreachableError
from odyssey_assets.metadata import BYTES, OWNERS, SQLITE_ASSET
from odyssey_assets.resources import OdysseyEngine

RESTORED = "restored"

_NAMES = {Kind.SQLITE: "SQLite", Kind.POSTGRESQL: "PostgreSQL"}


def backup_key(kind: Kind) -> dg.AssetKey:
    return dg.AssetKey(["backups", kind.value])


BACKUP_KEYS = tuple(map(backup_key, Kind))
RESTORED_KEYS = tuple(dg.AssetCheckKey(key, RESTORED) for key in BACKUP_KEYS)


def _backup_asset(kind: Kind) -> dg.AssetsDefinition:
    key, restored = backup_key(kind), dg.AssetCheckKey(backup_key(kind), RESTORED)

    @dg.multi_asset(
        name=f"back_up_{kind.value}",
        specs=[
            dg.AssetSpec(
                key,
                deps=[SQLITE_ASSET] if kind is Kind.SQLITE else [],
                description=f"The newest backup of {_NAMES[kind]}, kept with its checksum; see odyssey backups.",
                group_name="backups",
                kinds={"sqlite" if kind is Kind.SQLITE else "postgres"},
                owners=OWNERS,
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(
                RESTORED, asset=key, description="The newest backup was restored into scratch and proven equal."
            )
        ],
        can_subset=True,
        description=f"Backs up {_NAMES[kind]} and tries to restore the newest backup.",
    )
    def back_up(
        context: dg.AssetExecutionContext, odyssey: OdysseyEngine
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:  # type: ignore[type-arg]
        if key in context.selected_asset_keys:
            try:
                yield dg.MaterializeResult(asset_key=key, metadata=_metadata(odyssey.back_up(kind)))
            except OdysseyError as error:
                raise dg.Failure(str(error), allow_retries=isinstance(error, UnreachableError)) from None
        if restored in context.selected_asset_check_keys:
            yield _verdict(key, odyssey, kind)

    return back_up


def _verdict(key: dg.AssetKey, odyssey: OdysseyEngine, kind: Kind) -> dg.AssetCheckResult:
    """A drill that could not be made is a warning: the backup may be good, and nobody knows."""
    try:
        manifest = odyssey.drill(kind)
    except OdysseyError as error:
        return dg.AssetCheckResult(
            passed=False,
            asset_key=key,
            check_name=RESTORED,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"Not tried: {error}",
        )
    drill = manifest.drills[-1]
    return dg.AssetCheckResult(
        passed=drill.passed,
        asset_key=key,
        check_name=RESTORED,
        description=drill.detail,
        metadata={"backup": manifest.id, "seconds": drill.seconds, "rows": manifest.total_rows},
    )


def _metadata(manifest: Manifest) -> dict[str, Any]:
    return {
        "backup": manifest.id,
        BYTES: manifest.bytes,
        "dagster/row_count": manifest.total_rows,
        "sha256": manifest.sha256,
        "taken_at": dg.MetadataValue.timestamp(manifest.taken_at),
    }


backup_assets = [_backup_asset(kind) for kind in Kind]
