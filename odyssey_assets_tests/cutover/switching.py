"""Requests for a switch and for the way back, over a test's own pair.

Belongs here: building them. Does not belong here: running them.
"""

from typing import Any

from odyssey_assets.cutover.request import CutoverRequest
from odyssey_assets.cutover.rollback import RollbackRequest
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.sync.dual_run import DualRun
from odyssey_assets_tests.sync.ordinary_role import as_role

NEW_VILLAGE = """INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt") VALUES ('{id}', '{id}', 1, 2)"""
NEW_VILLAGE_IN_POSTGRESQL = (
    """INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt") VALUES ('{id}', '{id}', now(), now())"""
)


def cutover_request(pair: DualRun, **options: Any) -> CutoverRequest:
    return CutoverRequest(
        sqlite_path=pair.source,
        target=parse_target_url(as_role(pair.uri)),
        snapshot_dir=pair.folder / "snapshots",
        scratch_dir=pair.folder / "scratch",
        backup_dir=pair.folder / "backups",
        certificate_dir=pair.folder / "certificates",
        **{"wait_seconds": 1.0, "fence_seconds": 120.0, **options},
    )


def rollback_request(pair: DualRun, **options: Any) -> RollbackRequest:
    return RollbackRequest(
        sqlite_path=pair.source,
        target=parse_target_url(as_role(pair.uri)),
        snapshot_dir=pair.folder / "snapshots",
        scratch_dir=pair.folder / "scratch",
        certificate_dir=pair.folder / "certificates",
        carry_back_dir=pair.folder / "carried-back",
        **options,
    )
