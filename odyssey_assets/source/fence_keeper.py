"""The process that holds the fence: ``python -m odyssey_assets.source.fence_keeper FILE SECONDS WAIT_SECONDS``.

It answers one line for each line it is told, and ends, letting go, when its time is up, its work is done, or the
process at the other end of its standard input is gone.

Belongs here: holding one lock. Does not belong here: who asks for it (``fence``).
"""

import os
import select
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from urllib.parse import quote

from odyssey_assets.source.fence import ASK, BUSY, HELD, SEAL, SEALED, seal_statements

_LINE_BYTES = 4096


def main(arguments: Sequence[str]) -> int:
    """Hold the lock until told otherwise; the status is 0 unless it was never held."""
    path, seconds, wait_seconds = arguments[0], float(arguments[1]), float(arguments[2])
    uri = f"file:{quote(path)}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=wait_seconds, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            _answer(BUSY if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY else str(error))
            return 1
        deadline = time.monotonic() + seconds
        _answer(HELD)
        # Standard input is read below Python's buffers, so that select tells of every line.
        while line := _next_line(deadline):
            if line == ASK:
                _answer(HELD)
            elif line.startswith(f"{SEAL} "):
                _answer(_seal(connection, line.removeprefix(f"{SEAL} ")))
                return 0
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return 0


def _seal(connection: sqlite3.Connection, reason: str) -> str:
    try:
        for statement in seal_statements(connection, reason):
            connection.execute(statement)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        return str(error)
    return SEALED


def _next_line(deadline: float) -> str:
    """What is asked next; empty when time is up or nobody is there to ask."""
    ready, _, _ = select.select([sys.stdin.fileno()], [], [], max(deadline - time.monotonic(), 0.0))
    return os.read(sys.stdin.fileno(), _LINE_BYTES).decode().strip() if ready else ""


def _answer(line: str) -> None:
    # Where whoever asked is gone, the lock goes with the end of standard input.
    with suppress(BrokenPipeError):
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
