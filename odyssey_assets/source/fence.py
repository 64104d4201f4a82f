"""The fence around the live SQLite file: while it stands nobody writes, and everybody still reads.

It is SQLite's own write lock, held by a process of its own (``fence_keeper``): POSIX takes all locks of a process from
a file as soon as that process closes any descriptor of it, and this program opens and closes the file often. The keeper
lets go by itself when its time is up or when the process that asked for it dies. A *seal* outlives all processes: a
trigger on every table that refuses every write, put there by the keeper within the lock it holds, so that no writer
slips in between.

This is the one place that ever writes to the source file, and what it writes are those triggers alone.

Belongs here: raising, proving, releasing and sealing. Does not belong here: when that is done (``cutover``).
"""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from odyssey_assets.errors import ConfigurationError, OdysseyError, RefusedError, UnreachableError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.source.snapshot import read_only_uri, require_sqlite_file

SEAL_PREFIX = "odyssey_fence_"
"""How the triggers of a seal are named, for nothing else in an application's file is."""

HELD, BUSY, SEALED = "held", "busy", "sealed"
"""What a keeper answers."""
ASK, SEAL = "ask", "seal"
"""What a keeper is told; the end of its standard input means release."""

_ANSWER_SECONDS = 60.0
"""Installing triggers on 37 tables takes a moment on a slow disk, and a keeper that is gone answers at once."""


@dataclass(frozen=True)
class Fence:
    """A fence that was raised. ``until`` is the moment of ``time.monotonic()`` at which it falls by itself."""

    path: Path
    until: float
    keeper: "subprocess.Popen[str]"

    @property
    def remaining_seconds(self) -> float:
        return max(self.until - time.monotonic(), 0.0)

    @property
    def has_fallen(self) -> bool:
        """Whether the keeper is gone; quick to ask. That it is there proves nothing, see ``require_standing``."""
        return self.keeper.poll() is not None

    def require_standing(self) -> None:
        """Raise RefusedError unless the keeper answers that it has held the lock without a break."""
        if self._told(ASK) != HELD:
            raise self.fallen()

    def fallen(self) -> RefusedError:
        """The error of a fence that is down."""
        return RefusedError(
            f"The fence around {self.path} has run out, and the application may have written since.",
            hint="Nothing was switched. Give it more time with --fence-seconds.",
        )

    def seal(self, reason: str) -> None:
        """Refuse writes for good, from within the lock, and let go of it.

        ``reason`` is the error every writer gets. Raises RefusedError where the fence had run out.
        """
        answer = self._told(f"{SEAL} {reason}")
        if answer != SEALED:
            raise RefusedError(
                f"The SQLite file {self.path} could not be sealed: {answer or 'its fence has run out'}.",
                hint="The file is as it was.",
            )

    def _told(self, line: str) -> str:
        """The keeper's answer; empty where it is gone."""
        assert self.keeper.stdin is not None
        assert self.keeper.stdout is not None
        try:
            self.keeper.stdin.write(f"{line}\n")
            self.keeper.stdin.flush()
        except BrokenPipeError:
            return ""
        return self.keeper.stdout.readline().strip()


@contextmanager
def fenced(path: Path, *, seconds: float, wait_seconds: float) -> Iterator[Fence]:
    """Keep every writer out of ``path`` for at most ``seconds``; the fence falls at the end of the block.

    ``wait_seconds`` is how long a writer that is at it may take to finish. Raises RefusedError, naming the processes
    that have the file open, where a writer does not let go, or where locks do not work on this file system.
    """
    require_sqlite_file(path)
    command = [sys.executable, "-m", "odyssey_assets.source.fence_keeper", str(path), str(seconds), str(wait_seconds)]
    until = time.monotonic() + wait_seconds + seconds
    keeper = subprocess.Popen(  # Its own session: Ctrl-C is for the one who asked, who then lets go in order.
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert keeper.stdout is not None
        answer = keeper.stdout.readline().strip()
        if answer == BUSY:
            raise RefusedError(
                f"Somebody is writing to {path} and does not stop{_told_openers(path)}.",
                hint="Put the application into maintenance mode, then run again; nothing was changed.",
            )
        if answer != HELD:
            raise UnreachableError(f"No fence could be raised around {path}: {answer or 'its keeper ended'}.")
        until = time.monotonic() + seconds
        _prove(path)
        yield Fence(path, until, keeper)
    finally:
        _let_go(keeper)


def can_write(path: Path, *, wait_seconds: float = 0.0) -> bool:
    """Whether a writer would get in now, found by beginning to write and taking it back."""
    try:
        with closing(_open(path, wait_seconds)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise ConfigurationError(
            f"The SQLite file {path} cannot be opened for writing: {error}.",
            hint="A fence is a lock, which needs the right to write to the file and its folder.",
        ) from error
    return True


def is_sealed(path: Path) -> bool:
    """Whether a seal stands."""
    require_sqlite_file(path)
    with closing(sqlite3.connect(read_only_uri(path), uri=True, timeout=_ANSWER_SECONDS)) as connection:
        return bool(_seal_triggers(connection))


def unseal(path: Path, *, wait_seconds: float = 10.0) -> bool:
    """Take a seal away again, leaving the file as it was before; False where there was none."""
    require_sqlite_file(path)
    try:
        with closing(_open(path, wait_seconds)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            names = _seal_triggers(connection)
            for name in names:
                connection.execute(f"DROP TRIGGER {quoted(name)}")
            connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise UnreachableError(
            f"The seal of {path} could not be taken away: {error}{_told_openers(path)}.", hint="Try again."
        ) from error
    return bool(names)


def seal_statements(connection: sqlite3.Connection, reason: str) -> list[str]:
    """The triggers of a seal for every table there is, Prisma's own included."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    ).fetchall()
    literal = reason.replace("'", "''")
    return [
        f"CREATE TRIGGER {quoted(f'{SEAL_PREFIX}{table}_{action.lower()}')} BEFORE {action} ON {quoted(table)} "
        f"BEGIN SELECT RAISE(ABORT, '{literal}'); END"
        for (table,) in tables
        for action in ("INSERT", "UPDATE", "DELETE")
    ]


def openers(path: Path) -> tuple[str, ...]:
    """The processes that have the file open, as far as this account may see them: name and process id."""
    wanted = {str(path.resolve()), f"{path.resolve()}-wal"}
    found = []
    for process in psutil.process_iter(["pid", "name"]):
        try:
            if any(file.path in wanted for file in process.open_files()):
                found.append(f"{process.info['name']} (process {process.info['pid']})")
        except (psutil.Error, OSError):
            continue
    return tuple(found)


def _prove(path: Path) -> None:
    if can_write(path):
        raise RefusedError(
            f"A writer can get past the fence around {path}: locks do not work on this file system.",
            hint="Run the cut-over on the machine where the file lies on a local disk.",
        )


def _told_openers(path: Path) -> str:
    names = openers(path)
    return f"; it is open in {', '.join(names)}" if names else ""


def _open(path: Path, wait_seconds: float) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=wait_seconds, isolation_level=None)


def _seal_triggers(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, ?) = ?",
        (len(SEAL_PREFIX), SEAL_PREFIX),
    ).fetchall()
    return [name for (name,) in rows]


def _let_go(keeper: "subprocess.Popen[str]") -> None:
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    with suppress(BrokenPipeError):
        keeper.stdin.close()
    try:
        keeper.wait(_ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()
        raise OdysseyError("The keeper of the fence did not end and was killed; the fence is down.") from None
    finally:
        keeper.stdout.close()
