"""Where backups are kept: a folder each, which is there whole or not at all, readable for this account alone.

Belongs here: making, finding, checking and removing them. Does not belong here: how a backup is taken (``sqlite``,
``postgresql``), or which ones may go (``retention``).
"""

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from odyssey_assets.backup.manifest import Drill, Kind, Manifest, manifest_from, manifest_text
from odyssey_assets.errors import ConfigurationError, IntegrityError, UnreachableError
from odyssey_assets.source.snapshot import file_sha256

MANIFEST = "manifest.json"
_PARTIAL = ".partial-"
_NAMED_WHEN_AMBIGUOUS = 5


@dataclass(frozen=True)
class Backups:
    """Everything in a folder, newest first; ``unreadable`` are the names of those whose manifest is damaged."""

    readable: tuple[Manifest, ...]
    unreadable: tuple[str, ...]

    def of(self, kind: Kind) -> tuple[Manifest, ...]:
        return tuple(manifest for manifest in self.readable if manifest.kind is kind)


def new_id(kind: Kind, taken_at: datetime) -> str:
    """An id that sorts by age within its kind."""
    return f"{kind.value}-{taken_at:%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(3)}"


def add_backup(folder: Path, fill: Callable[[Path], Manifest]) -> Manifest:
    """Let ``fill`` put a backup's files into a folder of its own, and keep it under the id it returns.

    Raises UnreachableError where there is no room, ConfigurationError where the folder cannot be used, and what
    ``fill`` raises; nothing is left behind then.
    """
    with _named_failures(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        remove_unfinished(folder)
        partial = folder / f"{_PARTIAL}{os.getpid()}-{secrets.token_hex(4)}"
        partial.mkdir(mode=0o700)
        try:
            manifest = fill(partial)
            (partial / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")
            for path in partial.iterdir():
                path.chmod(0o600)
                _sync(path)
            _sync(partial)
            partial.rename(folder / manifest.id)
            _sync(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return manifest


def list_backups(folder: Path) -> Backups:
    """All there are."""
    readable, unreadable = [], []
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith(".") or not path.is_dir():
            continue
        try:
            readable.append(_read(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            unreadable.append(path.name)
    return Backups(
        tuple(sorted(readable, key=lambda each: (each.taken_at, each.id), reverse=True)), tuple(sorted(unreadable))
    )


def find_backup(folder: Path, beginning: str) -> Manifest:
    """The backup with this id, of which the beginning is enough.

    Raises ConfigurationError where there is none or more than one, IntegrityError where its manifest is damaged.
    """
    backups = list_backups(folder)
    found = [each for each in backups.readable if each.id.startswith(beginning)]
    if exact := [each for each in found if each.id == beginning]:
        return exact[0]
    if not found and any(name.startswith(beginning) for name in backups.unreadable):
        raise IntegrityError(
            f"The manifest of backup {beginning} is damaged.", hint="Choose another; see odyssey backups."
        )
    if len(found) != 1:
        names = ", ".join(each.id for each in found[:_NAMED_WHEN_AMBIGUOUS])
        raise ConfigurationError(
            f"{beginning} is the beginning of {len(found)} backups: {names}."
            if found
            else f"There is no backup {beginning}.",
            hint="See odyssey backups for the ids.",
        )
    return found[0]


def data_path(folder: Path, manifest: Manifest) -> Path:
    """The file that holds a backup's data."""
    return folder / manifest.id / manifest.file


def require_whole(folder: Path, manifest: Manifest) -> Path:
    """The data file, proven to be what was written. Raises IntegrityError where it is not."""
    path = data_path(folder, manifest)
    try:
        size_bytes, digest = path.stat().st_size, file_sha256(path)
    except OSError as error:
        raise IntegrityError(
            f"The file of backup {manifest.id} cannot be read: {error.strerror}.", hint="Choose another backup."
        ) from error
    if (size_bytes, digest) != (manifest.bytes, manifest.sha256):
        raise IntegrityError(
            f"The file of backup {manifest.id} is damaged: its SHA-256 is not the one it was written with.",
            hint="Choose another backup, and look at the disk.",
        )
    return path


def note_drill(folder: Path, manifest: Manifest, drill: Drill) -> Manifest:
    """Add an attempt at restoring to what is known of a backup."""
    drilled = _read(folder / manifest.id).with_drill(drill)
    path = folder / manifest.id / MANIFEST
    partial = path.with_name(f"{MANIFEST}.{os.getpid()}.partial")
    with _named_failures(folder):
        partial.touch(mode=0o600)
        partial.write_text(manifest_text(drilled), encoding="utf-8")
        _sync(partial)
        partial.replace(path)
    return drilled


def remove_backup(folder: Path, manifest: Manifest) -> None:
    """Gone in one step for whoever lists them."""
    leaving = folder / f"{_PARTIAL}{os.getpid()}-{secrets.token_hex(4)}"
    (folder / manifest.id).rename(leaving)
    shutil.rmtree(leaving, ignore_errors=True)


def remove_unfinished(folder: Path) -> None:
    """What killed processes left behind; what living ones are at stays."""
    for path in folder.glob(f"{_PARTIAL}*"):
        pid = path.name.removeprefix(_PARTIAL).split("-")[0]
        if not (pid.isdigit() and psutil.pid_exists(int(pid))):
            shutil.rmtree(path, ignore_errors=True)


def _read(path: Path) -> Manifest:
    manifest = manifest_from((path / MANIFEST).read_text(encoding="utf-8"))
    if manifest.id != path.name:
        raise ValueError(f"it says it is {manifest.id}")
    return manifest


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _named_failures(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UnreachableError(
                f"There is no room for a backup in {folder}.",
                hint="Free some space, keep fewer with --keep, or set ODYSSEY_STATE_DIR to a larger disk.",
            ) from error
        raise ConfigurationError(
            f"The folder {folder} cannot hold backups: {error.strerror}.",
            hint="Set ODYSSEY_STATE_DIR to a folder of this user's own.",
        ) from error
