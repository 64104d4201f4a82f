"""Peaks of memory, of this process, of what it started, and of the server's backends, as far as the system tells.

Belongs here: reading ``/proc``. Does not belong here: what is measured meanwhile.
"""

import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

SAMPLE_SECONDS = 0.1
"""Between two looks at the backends, whose peaks nobody keeps for us."""

_PROC = Path("/proc")
_BACKENDS_SQL = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@dataclass
class ServerPeak:
    """The largest sum of the backends' shares of memory; None where it cannot be read."""

    bytes: int | None = None


def own_peak_bytes() -> int:
    """Largest resident size of this process, or of a program it has run and waited for."""
    # getrusage starts from the size of the process that started this one; the kernel's own mark does not.
    tool = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    mark = _kilobytes(_PROC / "self" / "status", "VmHWM:")
    if mark is not None:
        return max(mark, tool) * 1024
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, tool) * unit_bytes


@contextmanager
def watched_server(uri: str) -> Iterator[ServerPeak]:
    """Watch the backends that serve a database while the block runs, if they are on this machine."""
    peak = ServerPeak()
    is_over = threading.Event()
    with closing(psycopg2.connect(uri)) as connection:
        connection.autocommit = True
        thread = threading.Thread(target=_watch, args=(connection, peak, is_over), daemon=True)
        thread.start()
        try:
            yield peak
        finally:
            is_over.set()
            thread.join()


def _watch(connection: "psycopg2.extensions.connection", peak: ServerPeak, is_over: threading.Event) -> None:
    while not is_over.wait(SAMPLE_SECONDS):
        with connection.cursor() as cursor:
            cursor.execute(_BACKENDS_SQL)
            shares = [_share_of_backend(pid) for (pid,) in cursor.fetchall()]
        known = [share for share in shares if share is not None]
        if known:
            peak.bytes = max(peak.bytes or 0, sum(known) * 1024)


def _share_of_backend(pid: int) -> int | None:
    folder = _PROC / str(pid)
    try:
        # The same number may belong to a stranger here when the server is on another machine.
        if (folder / "comm").read_text().strip() != "postgres":
            return None
    except OSError:
        return None
    return _kilobytes(folder / "smaps_rollup", "Pss:")


def _kilobytes(path: Path, field: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), None)
