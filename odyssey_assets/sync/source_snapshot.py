"""Which snapshot a run reads: a new one, or the published one where the file still is what it was then.

Belongs here: that choice. Does not belong here: copying (``source.snapshot``), or comparing files
(``source.unchanged``).
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from odyssey_assets.source.snapshot import Snapshot, kept_snapshot, require_sqlite_file, snapshot_path, take_snapshot
from odyssey_assets.source.unchanged import is_unchanged
from odyssey_assets.sync.ledger import LedgerEntry, Publication
from odyssey_assets.sync.outcome import Request


@dataclass(frozen=True)
class ChosenSnapshot:
    """``published`` is the snapshot last published, as it is on disk now; None where it is gone or nobody looked."""

    snapshot: Snapshot
    published: Snapshot | None = None


def new_snapshot(request: Request, ledger: Iterable[LedgerEntry]) -> ChosenSnapshot:
    """The file as it is now, unless the request brings a snapshot; what the ledger names is not removed."""
    protected = {entry.snapshot_id for entry in ledger}
    return ChosenSnapshot(
        request.snapshot or take_snapshot(request.sqlite_path, request.snapshot_dir, protected=protected)
    )


def snapshot_to_read(request: Request, last: Publication | None, ledger: Iterable[LedgerEntry]) -> ChosenSnapshot:
    """The same for a run that publishes nothing, which the snapshot last published serves as well.

    It does where it is the file page by page and, byte for byte, what was published.
    """
    if last is None or request.snapshot is not None:
        return new_snapshot(request, ledger)
    require_sqlite_file(request.sqlite_path)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sha256") as side:
        hashed = side.submit(kept_snapshot, request.snapshot_dir, last.snapshot_id)
        if not is_unchanged(request.sqlite_path, snapshot_path(request.snapshot_dir, last.snapshot_id)):
            return ChosenSnapshot(new_snapshot(request, ledger).snapshot, hashed.result())
    kept = hashed.result()
    if kept is None or kept.sha256 != last.snapshot_sha256:
        return ChosenSnapshot(new_snapshot(request, ledger).snapshot, kept)
    return ChosenSnapshot(kept, kept)
