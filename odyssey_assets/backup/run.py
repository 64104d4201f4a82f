"""A backup from beginning to end: taken, tried if that is asked for, and older ones gone.

Belongs here: the order. Does not belong here: the parts (``sqlite``, ``postgresql``, ``drill``, ``retention``), or what
is shown of it (the commands, the Dagster layer).
"""

from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.backup.drill import DrillPlace, drill
from odyssey_assets.backup.manifest import Kind, Manifest
from odyssey_assets.backup.postgresql import back_up_postgresql
from odyssey_assets.backup.retention import KEPT, prune
from odyssey_assets.backup.sqlite import back_up_sqlite
from odyssey_assets.backup.store import list_backups
from odyssey_assets.configuration import Settings
from odyssey_assets.errors import ConfigurationError
from odyssey_assets.target.url import TargetUrl, parse_target_url


@dataclass(frozen=True)
class BackupRequest:
    """What to back up and where to. ``sqlite_path`` and ``target`` need to be known for their own side alone."""

    folder: Path
    place: DrillPlace
    sqlite_path: Path | None
    target: TargetUrl | None
    keep: int = KEPT
    has_sql: bool = False
    tries_restore: bool = False
    note: str = ""


def back_up(request: BackupRequest, kind: Kind) -> Manifest:
    """Take a backup of one side, try it where that was asked for, and remove what is superfluous then.

    Raises what the parts raise; a drill that fails is a verdict in the manifest and no error.
    """
    if kind is Kind.SQLITE:
        assert request.sqlite_path is not None
        made = back_up_sqlite(request.sqlite_path, request.folder, has_sql=request.has_sql, note=request.note)
    else:
        assert request.target is not None
        made = back_up_postgresql(request.target, request.folder, note=request.note)
    if request.tries_restore:
        made = drill(request.folder, made, request.place)
    prune(request.folder, kind, request.keep)
    return made


def newest_backup(folder: Path, kind: Kind) -> Manifest:
    """The newest of one side. Raises ConfigurationError where there is none."""
    found = list_backups(folder).of(kind)
    if not found:
        raise ConfigurationError(f"There is no backup of {kind.value} yet.", hint="Take one with odyssey backup.")
    return found[0]


def place_for_drills(settings: Settings, target: TargetUrl | None) -> DrillPlace:
    """Where restores are tried: on a server of their own if one is named, else on the target's."""
    elsewhere = settings.scratch_postgres_url
    return DrillPlace(settings.scratch_dir, parse_target_url(elsewhere) if elsewhere else target)
