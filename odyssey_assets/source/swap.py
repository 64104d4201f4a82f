"""A finished SQLite file put in the place of the application's own, with the old one kept.

``cp`` or a bare rename over a live file undoes itself: the ``-wal`` that stands beside it belongs to the old file, and
SQLite plays its pages over the new one. So the old file is first taken out of its write-ahead log, which SQLite grants
only to the sole user of a file; then it is sealed, for a process of another account, which cannot be seen, might still
have it open; and it is renamed over under SQLite's exclusive lock, so that at no moment the path is empty: an
application that opened it then would create a database there. A kill at any point leaves the old or the new one whole.

Belongs here: the order of these steps. Does not belong here: keeping everybody out (``sole_use``), whether the new
file is the right one (``backup``, ``carry_back``), or when to do it.
"""

import errno
import hashlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from odyssey_assets.errors import ConfigurationError, IntegrityError, UnreachableError
from odyssey_assets.source.snapshot import file_sha256
from odyssey_assets.source.sole_use import sole_use

SIDECARS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file and would take for its own."""

_COPY_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Swapped:
    """``kept`` is where the old file is, sealed; None where there was none. ``sidecars`` were moved beside it."""

    live: Path
    kept: Path | None
    sidecars: tuple[Path, ...]


def swap_in(new: Path, live: Path, *, label: str, sha256: str | None = None) -> Swapped:
    """Put a copy of ``new`` at ``live`` and keep the old file as ``<live>.before-<label>-<time>``.

    ``new`` itself stays as it is. ``sha256`` is what its copy must have before anything is touched. Mode and owner
    of the live file are kept; where there is none, only this account may read the new one.

    Raises RefusedError naming the processes that are in the way, IntegrityError where the copy is not what was asked
    for, UnreachableError where there is no room, ConfigurationError where this account may not do it. After any of
    them the live file is as it was.
    """
    live = live.resolve()
    with _named_failures(live), _staged(new, live, sha256) as staged, sole_use(live, reason=_reason(live, label)):
        kept = _keep(live, label) if live.exists() else None
        moved = _move_sidecars(live, kept or _kept_path(live, label))
        staged.replace(live)
        _sync_folder(live.parent)
    return Swapped(live, kept, moved)


def _reason(live: Path, label: str) -> str:
    return f"{live.name} was replaced by another file (odyssey {label}); open it again"


@contextmanager
def _staged(new: Path, live: Path, sha256: str | None) -> Iterator[Path]:
    """A copy of ``new`` on the live file's disk, whole and durable, with the live file's mode and owner."""
    _require_finished(new)
    _remove_unfinished(live)
    staged = _partial_path(live)
    try:
        digest = _copy(new, staged)
        if digest != (sha256 or digest) or file_sha256(staged) != digest:
            raise IntegrityError(
                f"The copy of {new} beside {live} is not what it must be.",
                hint="The file or a disk is damaged; nothing was changed.",
            )
        if live.exists():
            _take_over_rights(staged, live)
        yield staged
    finally:
        staged.unlink(missing_ok=True)


def _require_finished(new: Path) -> None:
    unfinished = [
        path for path in (_beside(new, "-wal"), _beside(new, "-journal")) if path.exists() and path.stat().st_size
    ]
    if unfinished:
        raise IntegrityError(
            f"{new} is not finished: a part of it is in {unfinished[0].name}.",
            hint="Close whatever has it open; nothing was changed.",
        )


def _copy(new: Path, staged: Path) -> str:
    """Copy the bytes to the disk itself; returns the digest of what was read."""
    digest = hashlib.sha256()
    with new.open("rb") as origin, staged.open("xb") as copy:
        os.fchmod(copy.fileno(), 0o600)
        while block := origin.read(_COPY_BYTES):
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest()


def _take_over_rights(staged: Path, live: Path) -> None:
    found, mine = live.stat(), staged.stat()
    if (found.st_uid, found.st_gid) != (mine.st_uid, mine.st_gid):
        os.chown(staged, found.st_uid, found.st_gid)
    staged.chmod(found.st_mode & 0o7777)


def _keep(live: Path, label: str) -> Path:
    """A second name for the old file, so that it has one at every moment."""
    for name in sorted(live.parent.glob(f"{live.name}.before-*")):
        # A swap that was killed after this step left one; what is beside it belongs to it.
        if name.exists() and name.samefile(live):
            return name
    kept = _kept_path(live, label)
    try:
        kept.hardlink_to(live)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        _keep_copy(live, kept)
    _sync_folder(live.parent)
    return kept


def _keep_copy(live: Path, kept: Path) -> None:
    """Where the file system has no hard links. By a process of its own: closing a file here would drop the lock."""
    partial = _partial_path(live)
    try:
        done = subprocess.run(["cp", "-p", str(live), str(partial)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise UnreachableError(
                f"The old file could not be kept: {done.stderr.strip()}.", hint="Nothing was changed."
            )
        with partial.open("rb") as copy:
            os.fsync(copy.fileno())
        partial.rename(kept)
    finally:
        partial.unlink(missing_ok=True)


def _move_sidecars(live: Path, kept: Path) -> tuple[Path, ...]:
    """What is still there although nobody uses the file belongs to the old one and to nothing else."""
    moved = []
    for suffix in SIDECARS:
        sidecar = _beside(live, suffix)
        if sidecar.exists():
            moved.append(sidecar.rename(_beside(kept, suffix)))
    if moved:
        _sync_folder(live.parent)
    return tuple(moved)


def _remove_unfinished(live: Path) -> None:
    """Copies that a killed process left behind; those of living processes stay."""
    for path in live.parent.glob(f".{live.name}.new-*"):
        pid = path.name.removeprefix(f".{live.name}.new-").split("-")[0]
        if not (pid.isdigit() and psutil.pid_exists(int(pid))):
            path.unlink(missing_ok=True)


def _partial_path(live: Path) -> Path:
    return live.with_name(f".{live.name}.new-{os.getpid()}-{secrets.token_hex(4)}")


def _kept_path(live: Path, label: str) -> Path:
    return live.with_name(f"{live.name}.before-{label}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")


def _sync_folder(folder: Path) -> None:
    """A new name is on the disk only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _named_failures(live: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UnreachableError(
                f"There is no room beside {live} for the new file.", hint="Free some space there; nothing was changed."
            ) from error
        raise ConfigurationError(
            f"The file {live} cannot be replaced: {error.strerror}.",
            hint="Run as the owner of the file, who may also write to its folder; nothing was changed.",
        ) from error
