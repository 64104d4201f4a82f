"""Which backups may go.

Belongs here: choosing and removing them. Does not belong here: how they are kept (``store``).
"""

from pathlib import Path

from odyssey_assets.backup.manifest import Kind, Manifest
from odyssey_assets.backup.store import list_backups, remove_backup

KEPT = 7
"""Of each kind; a week of daily ones."""


def superfluous(newest_first: tuple[Manifest, ...], keep: int) -> tuple[Manifest, ...]:
    """Those beyond the newest ``keep`` that are neither pinned nor the newest one known to be restorable."""
    proven = next((each.id for each in newest_first if each.is_restorable), None)
    return tuple(each for each in newest_first[max(keep, 1) :] if not each.is_pinned and each.id != proven)


def prune(folder: Path, kind: Kind, keep: int) -> tuple[Manifest, ...]:
    """Remove what is superfluous of a kind; returns what went."""
    leaving = superfluous(list_backups(folder).of(kind), keep)
    for manifest in leaving:
        remove_backup(folder, manifest)
    return leaving
