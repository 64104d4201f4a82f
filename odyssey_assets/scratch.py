"""Folders for what does not fit in memory, gone at the end of the work, or at the beginning of the next after a kill.

Belongs here: making and removing them. Does not belong here: what is put into them.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def scratch_folder(parent: Path, purpose: str) -> Iterator[Path]:
    """A new folder in ``parent``, which is made where it is missing; removed when the block ends."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = parent / f"{purpose}-{uuid.uuid4().hex[:12]}"
    # Held before the folder is there, so that it never looks like one that nobody uses.
    with FileLock(_lock_of(folder)):
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            _remove(folder)


def remove_leftovers(parent: Path) -> None:
    """Remove the folders of processes that were killed: the system let go of their locks, and of nobody else's."""
    if not parent.is_dir():
        return
    for folder in parent.iterdir():
        if folder.is_dir():
            try:
                with FileLock(_lock_of(folder), timeout=0):
                    _remove(folder)
            except Timeout:
                continue


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _lock_of(folder).unlink(missing_ok=True)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
