"""Backups of the SQLite file: a snapshot that is kept, with its schema as SQL beside it.

Belongs here: taking one, keeping a snapshot that was taken, restoring. Does not belong here: the snapshot itself
(``source.snapshot``), or putting a file in another's place (``source.swap``).
"""

import shutil
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from odyssey_assets import __version__
from odyssey_assets.backup.manifest import Kind, Manifest, TableContent
from odyssey_assets.backup.store import add_backup, require_whole
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.source.fence import is_sealed
from odyssey_assets.source.snapshot import Snapshot, file_sha256, open_snapshot, take_snapshot
from odyssey_assets.source.soundness import foreign_key_check, integrity_check
from odyssey_assets.source.swap import Swapped, swap_in

DATA = "odyssey.db"
SCHEMA_SQL = "schema.sql"
DUMP_SQL = "dump.sql"

_SHOWN = 3


@dataclass(frozen=True)
class RestoredFile:
    """``is_sealed`` says that the backup was taken of a file that refused writes already, and so does this one."""

    manifest: Manifest
    swapped: Swapped
    is_sealed: bool


def back_up_sqlite(source: Path, folder: Path, *, has_sql: bool = False, note: str = "") -> Manifest:
    """Take a snapshot and keep it; ``has_sql`` writes the whole of it as SQL, too.

    Raises what ``take_snapshot`` and ``add_backup`` raise.
    """

    def fill(partial: Path) -> Manifest:
        taking = partial / "taking"
        snapshot = take_snapshot(source, taking)
        manifest = _described(snapshot, partial, is_pinned=False, note=note, has_sql=has_sql)
        snapshot.path.rename(partial / DATA)
        shutil.rmtree(taking)
        return manifest

    return add_backup(folder, fill)


def keep_snapshot(snapshot: Snapshot, folder: Path, *, pinned: bool, note: str) -> Manifest:
    """Make a backup of a snapshot that was taken, without taking another. Where it can, it is the same file.

    Raises IntegrityError where the snapshot is not what it was when it was taken.
    """

    def fill(partial: Path) -> Manifest:
        data = partial / DATA
        try:
            data.hardlink_to(snapshot.path)
        except FileNotFoundError:
            raise IntegrityError(f"The snapshot {snapshot.id} was removed.", hint="Run again.") from None
        except OSError:
            shutil.copyfile(snapshot.path, data)
        if file_sha256(data) != snapshot.sha256:
            raise IntegrityError(
                f"The snapshot {snapshot.id} is not what it was when it was taken.", hint="Look at the disk."
            )
        return _described(replace(snapshot, path=data), partial, is_pinned=pinned, note=note, has_sql=False)

    return add_backup(folder, fill)


def restore_sqlite(folder: Path, manifest: Manifest, live: Path) -> RestoredFile:
    """Put the backup in the place of ``live``, which is kept. The backup is proven sound first.

    Raises IntegrityError where it is not, and what ``swap_in`` raises.
    """
    data = require_whole(folder, manifest)
    require_intact(data, manifest)
    swapped = swap_in(data, live, label="restore", sha256=manifest.sha256)
    return RestoredFile(manifest, swapped, is_sealed(swapped.live))


def require_intact(data: Path, manifest: Manifest) -> None:
    """Raise IntegrityError where SQLite objects to the file, or it holds other rows than the manifest says."""
    objections = integrity_check(data)
    if objections:
        raise IntegrityError(
            f"SQLite objects to backup {manifest.id}: {'; '.join(objections[:_SHOWN])}.",
            hint="The application's file was damaged when it was taken; choose an older one.",
        )
    broken = len(foreign_key_check(data))
    if broken != manifest.broken_references:
        raise IntegrityError(
            f"{broken:,} rows of backup {manifest.id} break its foreign keys, not {manifest.broken_references:,}."
        )
    found = _content(data)
    wrong = sorted(
        name for name in found.keys() | manifest.tables.keys() if found.get(name) != manifest.tables.get(name)
    )
    if wrong:
        raise IntegrityError(
            f"Backup {manifest.id} holds other rows than its manifest says: {', '.join(wrong[:_SHOWN])}.",
            table=wrong[0],
        )


def _described(snapshot: Snapshot, partial: Path, *, is_pinned: bool, note: str, has_sql: bool) -> Manifest:
    try:
        (partial / SCHEMA_SQL).write_bytes(_read_schema(snapshot.path).encode("utf-8", "surrogateescape"))
        if has_sql:
            _write_dump(snapshot.path, partial / DUMP_SQL)
        tables, broken = _content(snapshot.path), len(foreign_key_check(snapshot.path))
    except sqlite3.DatabaseError as error:
        raise IntegrityError(
            f"The SQLite file is damaged: {error}.",
            hint="A copy of it is no backup. Recover it with the sqlite3 shell's .recover, or restore an older one.",
        ) from error
    return Manifest(
        id=f"{Kind.SQLITE.value}-{snapshot.id}",
        kind=Kind.SQLITE,
        taken_at=snapshot.taken_at,
        file=DATA,
        bytes=snapshot.bytes,
        sha256=snapshot.sha256,
        versions={"odyssey": __version__, "sqlite": sqlite3.sqlite_version},
        tables=tables,
        is_pinned=is_pinned,
        note=note,
        broken_references=broken,
    )


def _content(path: Path) -> dict[str, TableContent]:
    with open_snapshot(path) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "ORDER BY name"
        ).fetchall()
        return {
            str(name): TableContent(int(connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0]))
            for (name,) in names
        }


def _read_schema(path: Path) -> str:
    """Tables before the indexes and triggers on them, as the file itself spells them."""
    with open_snapshot(path) as connection:
        rows = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "ORDER BY type <> 'table', rowid"
        ).fetchall()
    return "".join(f"{sql};\n" for (sql,) in rows)


def _write_dump(path: Path, dump: Path) -> None:
    """What the sqlite3 shell's .dump writes; text that is not UTF-8 keeps its bytes."""
    with open_snapshot(path) as connection, dump.open("wb") as file:
        for statement in connection.iterdump():
            file.write(f"{statement}\n".encode("utf-8", "surrogateescape"))
