"""A cheap sign that the live SQLite file may have changed, without opening it.

Belongs here: the sign. Does not belong here: proof (a commit within the clock's grain could escape; schedules and the
next re-sync do not rely on it).
"""

from pathlib import Path


def fingerprint(live: Path) -> str:
    """Size and time of the file and of its write-ahead log, which alone moves on commits in WAL mode."""
    parts = []
    for path in (live, live.with_name(f"{live.name}-wal")):
        try:
            status = path.stat()
        except FileNotFoundError:
            parts.append("-")
        else:
            parts.append(f"{status.st_size}@{status.st_mtime_ns}")
    return " ".join(parts)
