"""Being the only one who uses the application's SQLite file, so that it can be replaced.

Three things together keep everybody out: SQLite lets a file out of its write-ahead log only where nobody else has it
open; an exclusive lock; and a seal, which stays behind in the old file for a process that had opened it and looked
idle. (SQLite itself refuses such a process too: without a write-ahead log it will not write to a file that was moved.)
POSIX takes all locks of a process from a file when that process closes any descriptor of it: within ``sole_use``
nothing may open the file.

Belongs here: getting there, and putting everything back where it fails. Does not belong here: what is done with the
file meanwhile (``swap``), or keeping writers out while readers go on (``fence``).
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from urllib.parse import quote

from odyssey_assets.errors import ConfigurationError, IntegrityError, OdysseyError, RefusedError, UnreachableError
from odyssey_assets.source.fence import SEAL_PREFIX, openers, seal_statements, unseal
from odyssey_assets.source.snapshot import SQLITE_MAGIC

WAIT_SECONDS = 5.0
"""How long somebody else's transaction may take; an application that is stopped has none."""

_RETRY_SECONDS = 0.05
_FIRST_LOCK_BYTE = 0x40000000
_LOCK_BYTES = 512
"""Where SQLite keeps its locks (PENDING, RESERVED, SHARED), whatever is in the file."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_STOP = "Stop the application, then run again; nothing was changed."


@contextmanager
def sole_use(live: Path, *, reason: str) -> Iterator[None]:
    """Keep everybody out of ``live`` for the length of the block, and its writers out of this very file for good.

    ``reason`` is the error that a writer gets who had it open. Where the block fails with the file still in its
    place, the file is as before. A file too damaged for SQLite is held by its locks alone; one that is missing is
    nobody's. Raises RefusedError naming who is in the way, UnreachableError or ConfigurationError where SQLite cannot
    write to it.
    """
    if not live.exists():
        yield
        return
    _refuse_openers(live)
    with _alone(live, reason) if _begins_like_sqlite(live) else nullcontext(False) as is_held:
        if is_held:
            _refuse_openers(live)
            yield
            return
    with _locked_by_hand(live):
        _refuse_openers(live)
        yield


@contextmanager
def _alone(live: Path, reason: str) -> Iterator[bool]:
    """Out of the write-ahead log, sealed and locked; False where SQLite finds the file too damaged for that."""
    inode = live.stat().st_ino
    was_in_wal = was_sealed_here = is_held = False
    connection = sqlite3.connect(
        f"file:{quote(str(live))}?mode=rw", uri=True, timeout=WAIT_SECONDS, isolation_level=None
    )
    with closing(connection):
        try:
            with _translated(live):
                was_in_wal = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
                _lock_out_of_wal(connection)
                if not _is_sealed(connection):
                    for statement in seal_statements(connection, reason):
                        connection.execute(statement)
                    was_sealed_here = True
                connection.execute("COMMIT")
                # Nobody can write rows in between; a lock without a change needs no journal beside the new file.
                _lock_out_of_wal(connection)
            is_held = True
            yield True
        except BaseException as error:
            with suppress(sqlite3.Error, OdysseyError):
                _put_back(connection, live, inode, is_sealed=was_sealed_here, is_in_wal=was_in_wal)
            if is_held or not isinstance(error, IntegrityError):
                raise
        else:
            return
    yield False


def _is_sealed(connection: sqlite3.Connection) -> bool:
    found = connection.execute(
        "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND substr(name, 1, ?) = ?",
        (len(SEAL_PREFIX), SEAL_PREFIX),
    )
    return found.fetchone() is not None


def _lock_out_of_wal(connection: sqlite3.Connection) -> None:
    """Begin a transaction that keeps even readers out, which only a file without a write-ahead log has."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            # Only the sole user of a file is let out of it, after everything in the log is in the file.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
                return
            # Somebody put it back between the two steps.
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() >= deadline:
                raise
        if time.monotonic() >= deadline:
            raise RefusedError("Somebody keeps the SQLite file in its write-ahead log.", hint=_STOP)
        time.sleep(_RETRY_SECONDS)


def _put_back(connection: sqlite3.Connection, live: Path, inode: int, *, is_sealed: bool, is_in_wal: bool) -> None:
    """As it was before, unless another file stands there already."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    if live.stat().st_ino != inode:
        return
    if is_sealed:
        unseal(live)
    if is_in_wal:
        connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _locked_by_hand(live: Path) -> Iterator[None]:
    """SQLite's locks on a file that SQLite will not open."""
    with live.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_BYTES, _FIRST_LOCK_BYTE)
        except BlockingIOError:
            raise _in_the_way(live) from None
        yield


def _begins_like_sqlite(live: Path) -> bool:
    """An empty file is none: SQLite would throw away a log that holds all there is."""
    with live.open("rb") as file:
        return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC


@contextmanager
def _translated(live: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        match error.sqlite_errorcode & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                raise _in_the_way(live) from error
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                raise IntegrityError(f"The SQLite file {live} is damaged: {error}.") from error
            case sqlite3.SQLITE_FULL:
                raise UnreachableError(
                    f"There is no room on the disk of {live}.", hint="Free some space there; nothing was changed."
                ) from error
            case _:
                raise ConfigurationError(
                    f"The SQLite file {live} cannot be replaced: {error}.",
                    hint="Run as the owner of the file, who may also write to its folder; nothing was changed.",
                ) from error


def _refuse_openers(live: Path) -> None:
    if _others(live):
        raise _in_the_way(live)


def _others(live: Path) -> tuple[str, ...]:
    return tuple(each for each in openers(live) if f"(process {os.getpid()})" not in each)


def _in_the_way(live: Path) -> RefusedError:
    names = _others(live)
    told = f"it is open in {', '.join(names)}" if names else "somebody this account cannot see holds a lock on it"
    return RefusedError(f"The SQLite file {live} is in use: {told}.", hint=_STOP)
