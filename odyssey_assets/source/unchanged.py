"""Whether the live file still holds what a snapshot of it holds.

Belongs here: looking at a file that others may be writing to. Does not belong here: which rows changed (``pages``), or
copying (``snapshot``).
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from odyssey_assets.source.pages import different_pages, page_bytes_of
from odyssey_assets.source.snapshot import DAMAGE, read_only_uri

_PATIENCE_SECONDS = 1.0
"""With a locked file; whoever asks has another way, which costs less than waiting longer."""

_SCHEMA_COOKIE = slice(40, 44)


def is_unchanged(live: Path, snapshot: Path) -> bool:
    """Whether ``live`` is ``snapshot`` page by page, with no write-ahead log pending and no commit meanwhile.

    A file that is locked, gone or cannot be read proves nothing, so that the answer is no.
    """
    wal = live.with_name(f"{live.name}-wal")
    try:
        with closing(
            sqlite3.connect(read_only_uri(live), uri=True, isolation_level=None, timeout=_PATIENCE_SECONDS)
        ) as connection:
            before = _commits_seen(connection)
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if (wal.exists() and wal.stat().st_size) or not _is_same_content(live, snapshot):
                return False
            connection.execute("COMMIT")
            # No lock keeps writers out: closing any descriptor of a file drops the locks its process has on it.
            return _commits_seen(connection) == before
    except (*DAMAGE, FileNotFoundError):
        return False


def _commits_seen(connection: sqlite3.Connection) -> int:
    """A number that is another after each commit of anybody else."""
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)


def _is_same_content(live: Path, snapshot: Path) -> bool:
    """Whether two files are equal page by page, but for the counters SQLite keeps in the header of the first."""
    if live.stat().st_size != snapshot.stat().st_size:
        return False
    page_bytes = page_bytes_of(live)
    if any((pages != 1).any() for pages in different_pages(live, snapshot, page_bytes)):
        return False
    return _without_counters(live, page_bytes) == _without_counters(snapshot, page_bytes)


def _without_counters(path: Path, page_bytes: int) -> bytes:
    """The first page without journal mode, change counter, schema cookie and what follows them about.

    The Online Backup API itself raises the cookie of the copy; a real change of the schema shows elsewhere as well.
    """
    with path.open("rb") as file:
        page = bytearray(file.read(page_bytes))
    for counter in (slice(18, 20), slice(24, 28), _SCHEMA_COOKIE, slice(92, 100)):
        page[counter] = bytes(counter.stop - counter.start)
    return bytes(page)
