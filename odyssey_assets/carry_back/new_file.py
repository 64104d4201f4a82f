"""The new SQLite file: begun as a copy of the base under another name, given its own name when it is finished.

Belongs here: the file's life on disk. Does not belong here: what is written into it (``rewrite``).
"""

import errno
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from odyssey_assets.errors import ConfigurationError, IntegrityError, UnreachableError
from odyssey_assets.source.snapshot import remove_unfinished, require_sqlite_file

SIDECARS = ("-journal", "-wal", "-shm")


def require_finished(base: Path) -> None:
    """Raise ConfigurationError unless the base is a SQLite file that nobody is writing to."""
    require_sqlite_file(base)
    for suffix in SIDECARS[:2]:
        sidecar = base.with_name(base.name + suffix)
        if sidecar.exists() and sidecar.stat().st_size:
            raise ConfigurationError(
                f"{base} is a live database: changes stand beside it in {sidecar.name}.",
                hint="Take a backup of it with odyssey backup and name that.",
            )


@contextmanager
def unfinished_copy(base: Path, new_file: Path) -> Iterator[Path]:
    """A copy of the base beside ``new_file``, readable by this user alone; removed at the end unless it was finished.

    Raises ConfigurationError where ``new_file`` exists or its folder cannot be written to, UnreachableError where the
    disk is full, IntegrityError where SQLite finds the copy damaged.
    """
    if new_file.exists():
        raise ConfigurationError(f"{new_file} exists already.", hint="Name a file that does not exist yet.")
    partial = new_file.with_name(f".partial-{os.getpid()}-{secrets.token_hex(4)}.db")
    with _failures_named(new_file):
        try:
            new_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            remove_unfinished(new_file.parent)
            partial.touch(mode=0o600, exist_ok=False)
            shutil.copyfile(base, partial)
            yield partial
        finally:
            for suffix in ("", *SIDECARS):
                partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def finish(partial: Path, new_file: Path) -> None:
    """Make the copy durable, then give it its name, then make the name durable."""
    _sync(partial, os.O_RDWR)
    partial.rename(new_file)
    _sync(new_file.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _failures_named(new_file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise _no_room(new_file) from error
        raise IntegrityError(
            f"SQLite cannot write the new file: {error}.", hint="No new file was written; check the base and the disk."
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _no_room(new_file) from error
        raise ConfigurationError(
            f"The new SQLite file {new_file} cannot be written: {error.strerror}.",
            hint="Name a file in a folder of this user's own.",
        ) from error


def _no_room(new_file: Path) -> UnreachableError:
    return UnreachableError(
        f"There is no room for the new SQLite file in {new_file.parent}, or for what differs.",
        hint="Free some space; the base has not been touched.",
    )
