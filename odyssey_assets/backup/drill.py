"""Restoring a backup for the sake of knowing that it can be: into a place made for it, compared, and thrown away.

Belongs here: one attempt and its verdict. Does not belong here: restoring for good (``sqlite``, ``postgresql``), or
keeping the verdict (``store``).
"""

import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from odyssey_assets.backup.databases import scratch_database
from odyssey_assets.backup.manifest import Drill, Kind, Manifest
from odyssey_assets.backup.pg_tools import restore
from odyssey_assets.backup.postgresql import require_equal, tools_for_restore
from odyssey_assets.backup.sqlite import require_intact
from odyssey_assets.backup.store import note_drill, require_whole
from odyssey_assets.errors import ConfigurationError, IntegrityError, UnreachableError
from odyssey_assets.scratch import remove_leftovers, scratch_folder
from odyssey_assets.source.snapshot import file_sha256
from odyssey_assets.target.connection import connect, server_version
from odyssey_assets.target.url import TargetUrl


@dataclass(frozen=True)
class DrillPlace:
    """Where to restore for a try: a folder, and a role that may create databases; None where there is none."""

    scratch_dir: Path
    admin: TargetUrl | None


def drill(folder: Path, manifest: Manifest, place: DrillPlace) -> Manifest:
    """Restore the backup into scratch, and note whether that proved it whole; returns the manifest with the verdict.

    Raises UnreachableError or ConfigurationError where no verdict was reached; nothing is noted then.
    """
    began = time.monotonic()
    try:
        proven = (
            _drill_sqlite(folder, manifest, place)
            if manifest.kind is Kind.SQLITE
            else _drill_postgresql(folder, manifest, place)
        )
        passed = True
    except IntegrityError as error:
        proven, passed = error.message, False
    verdict = Drill(datetime.now(UTC), passed, round(time.monotonic() - began, 3), proven)
    return note_drill(folder, manifest, verdict)


def _drill_sqlite(folder: Path, manifest: Manifest, place: DrillPlace) -> str:
    data = require_whole(folder, manifest)
    remove_leftovers(place.scratch_dir)
    with scratch_folder(place.scratch_dir, "drill") as scratch:
        restored = scratch / data.name
        try:
            shutil.copyfile(data, restored)
        except OSError as error:
            raise UnreachableError(
                f"There is no room to try a restore in {place.scratch_dir}: {error.strerror}.", hint="Free some space."
            ) from error
        if file_sha256(restored) != manifest.sha256:
            raise IntegrityError(f"The restored copy of backup {manifest.id} is not the file that was backed up.")
        require_intact(restored, manifest)
        _require_writable(restored)
    return f"{manifest.total_rows:,} rows in {len(manifest.tables)} tables restored; integrity_check found nothing"


def _require_writable(restored: Path) -> None:
    """As an application opens it: to write."""
    try:
        with closing(sqlite3.connect(restored, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE odyssey_drill (i INTEGER)")
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        raise IntegrityError(f"The restored file cannot be written to: {error}.") from error


def _drill_postgresql(folder: Path, manifest: Manifest, place: DrillPlace) -> str:
    data = require_whole(folder, manifest)
    if place.admin is None:
        raise ConfigurationError(
            "No PostgreSQL was named to try a restore on.", hint="Give --postgres or --scratch-url."
        )
    with scratch_database(place.admin) as url:
        with connect(url, read_only=True) as connection:
            tools = tools_for_restore(manifest, server_version(connection))
        restore(tools, data, url, is_atomic=False, keeps_rights=False)
        found = require_equal(manifest, url)
    published = sum(bool(table.is_as_published) for table in found.values())
    return (
        f"{manifest.total_rows:,} rows in {len(manifest.tables)} tables restored; every table's digest equal, "
        f"{published} of them as the ledger has it"
    )
