"""One consistent copy of the live SQLite file, taken without ever writing to it.

Belongs here: opening the source read-only, copying it, naming and keeping copies.
Does not belong here: what is in a snapshot (``inspection``, ``survey``, ``reader``), or whether it is sound
(``soundness``).
"""

import hashlib
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from odyssey_assets.errors import ConfigurationError, IntegrityError, UnreachableError

BUSY_TIMEOUT_SECONDS = 30.0
"""How long a writer may hold the file before the snapshot gives up."""

SNAPSHOTS_KEPT = 5
"""Each is as large as the source, so only the newest few stay."""

_LOOKS_AT_LENGTH = 5
"""A writer may be in the middle of a page at one look, hardly at all of them; with a WAL the page stands there."""

DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged file raises; the second where SQLite's own words quote bytes that are no text."""

SQLITE_MAGIC = b"SQLite format 3\x00"
_NAME = re.compile(r"^snapshot-(?P<id>\d{8}T\d{12}Z-[0-9a-f]{6})\.db$")
"""Down to the microsecond, so that names sort by age also within one second."""

_RETRY_SECONDS = 0.05
"""Between two attempts at a locked file; short, for the wait can be interrupted only between attempts."""


@dataclass(frozen=True)
class Snapshot:
    """A finished copy. ``sha256`` is of the file's bytes, ``taken_at`` when the copy step ended."""

    id: str
    path: Path
    sha256: str
    taken_at: datetime
    bytes: int


def read_only_uri(path: Path, *, immutable: bool = False) -> str:
    """A URI that never creates the file. ``immutable`` skips locking and the WAL: for finished snapshots only."""
    return f"file:{quote(str(path))}?mode=ro{'&immutable=1' if immutable else ''}"


@contextmanager
def open_snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a finished snapshot. Text that is not UTF-8 comes back with surrogates, never as an error."""
    connection = sqlite3.connect(read_only_uri(path, immutable=True), uri=True, check_same_thread=False)
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        yield connection
    finally:
        connection.close()


def take_snapshot(source: Path, folder: Path, *, keep: int = SNAPSHOTS_KEPT, protected: Iterable[str] = ()) -> Snapshot:
    """Copy ``source`` with the Online Backup API in one step, so that writers wait once and WAL content is included.

    Older copies than the newest ``keep`` are removed, but for the ids in ``protected``.

    Raises ConfigurationError when the path holds no SQLite database or the folder cannot be used, IntegrityError when
    the database is damaged, UnreachableError when another process keeps it locked or there is no room for the copy.
    """
    require_sqlite_file(source)
    partial = folder / f".partial-{os.getpid()}-{secrets.token_hex(4)}.db"
    _prepare_folder(folder, partial)
    try:
        _back_up(source, partial)
        taken_at = datetime.now(UTC)
        identity = f"{taken_at:%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(3)}"
        path = snapshot_path(folder, identity)
        digest = file_sha256(partial)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    _remove_older(folder, path, keep, frozenset(snapshot_path(folder, each) for each in protected))
    return Snapshot(identity, path, digest, taken_at, path.stat().st_size)


def snapshot_path(folder: Path, identity: str) -> Path:
    """Where the snapshot with this id is kept, or was."""
    return folder / f"snapshot-{identity}.db"


def kept_snapshot(folder: Path, identity: str) -> Snapshot | None:
    """A snapshot taken earlier, or None where it was removed since."""
    path = snapshot_path(folder, identity)
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        return None
    taken_at = datetime.strptime(identity.split("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
    return Snapshot(identity, path, file_sha256(path), taken_at, size_bytes)


def require_sqlite_file(path: Path) -> None:
    """Raise ConfigurationError unless a file that begins like a SQLite database can be read at ``path``."""
    try:
        if not path.exists():
            raise ConfigurationError(
                f"There is no SQLite file at {path}.",
                hint="Check --sqlite or ODYSSEY_SQLITE_PATH for a typing mistake.",
            )
        if not path.is_file():
            raise ConfigurationError(f"{path} is not a file.", hint="Give the path of the SQLite file itself.")
        with path.open("rb") as file:
            head = file.read(len(SQLITE_MAGIC))
    except PermissionError:
        raise ConfigurationError(
            f"The SQLite file {path} may not be read by this user.", hint="Give the user the right to read it."
        ) from None
    if not head:
        raise ConfigurationError(
            f"The SQLite file {path} is empty.",
            hint="Check that this is the application's database and not a new file.",
        )
    if head != SQLITE_MAGIC:
        raise ConfigurationError(
            f"{path} is not a SQLite database.", hint="Give the application's database file, usually prisma/dev.db."
        )


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _prepare_folder(folder: Path, partial: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        remove_unfinished(folder)
        partial.touch(mode=0o600)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {folder} cannot hold snapshots: {error.strerror}.",
            hint="Set ODYSSEY_STATE_DIR to a folder of this user's own.",
        ) from error


def _back_up(source: Path, copy: Path) -> None:
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS

    def give_up_late(status: int, _remaining: int, _pages: int) -> None:
        # backup() itself tries again for ever.
        if status & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() >= deadline:
            raise UnreachableError(
                f"The SQLite file {source} stayed locked by another process for {BUSY_TIMEOUT_SECONDS:g} s.",
                hint="Find the process that holds it, or try again.",
            )

    try:
        with (
            closing(sqlite3.connect(read_only_uri(source), uri=True, timeout=0)) as origin,
            closing(sqlite3.connect(copy)) as target,
        ):
            origin.backup(target, pages=-1, progress=give_up_late, sleep=_RETRY_SECONDS)
        _require_whole_pages(source, copy)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise UnreachableError(
                f"There is no room for a snapshot of {source} in {copy.parent}.",
                hint="Free some space or set ODYSSEY_STATE_DIR to a larger disk.",
            ) from error
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
            raise UnreachableError(
                f"The SQLite file {source} holds a change that was broken off, and is never written to from here.",
                hint="Open it once with the application or the sqlite3 shell, which takes the change back.",
            ) from error
        raise UnreachableError(f"The SQLite file {source} cannot be opened: {error}.") from error
    except DAMAGE as error:
        raise IntegrityError(
            f"The SQLite file {source} is damaged: {error}.",
            hint="Restore it from a backup, or recover it with the sqlite3 shell's .recover.",
        ) from error


def _require_whole_pages(source: Path, copy: Path) -> None:
    """SQLite reads what a cut took off the last page as zeros, without a word, and so do its own checks."""
    wal = source.with_name(f"{source.name}-wal")
    with copy.open("rb") as file:
        page_bytes = int.from_bytes(file.read(18)[16:], "big")
    for _ in range(_LOOKS_AT_LENGTH):
        # The header has no room for 65536 and says 1.
        surplus_bytes = source.stat().st_size % (65_536 if page_bytes == 1 else page_bytes)
        if not surplus_bytes or (wal.exists() and wal.stat().st_size):
            return
        time.sleep(_RETRY_SECONDS)
    raise IntegrityError(
        f"The SQLite file {source} is damaged: its last page is cut off.",
        hint="Copy it again from where it came, or restore it from a backup.",
    )


def _remove_older(folder: Path, newest: Path, keep: int, protected: frozenset[Path]) -> None:
    """Keep ``newest`` and the ``keep - 1`` before it; never newest itself, even where the clock was set back."""
    others = sorted((path for path in folder.iterdir() if _NAME.match(path.name) and path != newest), reverse=True)
    for path in others[max(keep, 1) - 1 :]:
        if path not in protected:
            path.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Copies that a killed process left behind; those of living processes stay."""
    for path in folder.glob(".partial-*"):
        pid = path.name.split("-")[1]
        if not (pid.isdigit() and _is_alive(int(pid))):
            path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
