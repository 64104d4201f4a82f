"""pgloader, where it is installed, with settings that let it reach the end of an Odyssey file.

Belongs here: its command file and running it. Does not belong here: judging what it made of the types.
"""

import shutil
import subprocess
from pathlib import Path

from odyssey_assets.benchmark.contender import Task, clocked
from odyssey_assets.errors import IntegrityError

_COMMANDS = """LOAD DATABASE
     FROM sqlite://{path}
     INTO {uri}
     WITH create tables, {indexes}, no foreign keys, reset no sequences, quote identifiers,
          workers = 2, concurrency = 1, batch rows = 10000, batch size = 8MB, prefetch rows = 10000
     CAST type datetime to text drop not null drop default,
          type boolean to integer drop default,
          type jsonb to text drop default
EXCLUDING TABLE NAMES LIKE '_prisma_migrations';
"""


def unavailable() -> str | None:
    """Why it cannot take part."""
    return None if shutil.which("pgloader") else "pgloader is not installed"


def load(task: Task) -> dict[str, float]:
    """Load the file into tables of pgloader's own making, then build every index. Primary keys it does not make.

    Raises IntegrityError where it does not come to the end.
    """
    return _load(task, "pgloader", "create indexes")


def load_rows(task: Task) -> dict[str, float]:
    """The same without any index."""
    return _load(task, "pgloader_rows", "create no indexes")


def _load(task: Task, measure: str, indexes: str) -> dict[str, float]:
    separator = "&" if "?" in task.uri else "?"
    commands = task.folder / "odyssey.load"
    log = task.folder / "pgloader"
    commands.touch(mode=0o600)
    uri = f"{task.uri}{separator}sslmode=disable"
    commands.write_text(_COMMANDS.format(path=task.sqlite, uri=uri, indexes=indexes))
    seconds: dict[str, float] = {}
    try:
        with clocked(seconds, measure):
            done = _run(commands, log)
    finally:
        commands.unlink()
    if done.returncode != 0 or "ERROR" in done.stdout or "FATAL" in done.stdout:
        raise IntegrityError(f"pgloader did not come to the end: {done.stdout.strip()[-400:]}")
    return seconds


def _run(commands: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["pgloader", "--root-dir", str(root), "--on-error-stop", str(commands)],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
