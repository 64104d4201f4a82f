"""Running the installed command as its users do: a process of its own, another folder, nothing of this process.

Belongs here: starting it and waiting for it. Does not belong here: what is expected of it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ODYSSEY = str(Path(sys.executable).parent / "odyssey")
OURS = ("ODYSSEY_", "DAGSTER_", "POSTGRES_", "PG")
PATIENCE_SECONDS = 240


@dataclass(frozen=True)
class Ended:
    """A process that has ended; ``peak_bytes`` is the most memory it had resident."""

    status: int
    stdout: str
    stderr: str
    peak_bytes: int

    @property
    def document(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.stdout)
        return parsed


def surroundings(state_dir: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what steers the command, and with a state folder of the test's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {"ODYSSEY_STATE_DIR": str(state_dir)} | dict(more or {})


def run(command: list[str], environment: Mapping[str, str], cwd: Path, user: int | None = None) -> Ended:
    """Run to the end, also as another user, and measure."""
    stdout, stderr = cwd / "stdout", cwd / "stderr"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            cwd=cwd,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Ended(process.returncode, stdout.read_text(), stderr.read_text(), usage.ru_maxrss * unit)
