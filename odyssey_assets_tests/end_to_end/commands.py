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


_MEASURED = """
import os, subprocess, sys
told, user, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
other = {"user": int(user), "group": int(user), "extra_groups": []} if user else {}
_, status, usage = os.wait4(subprocess.Popen(command, **other).pid, 0)
os.write(told, f"{os.waitstatus_to_exitcode(status)} {usage.ru_maxrss}".encode())
os._exit(0)
"""
"""Linux counts to a process what its parent held when it was begun, so the parent must be a small one."""


def run(command: list[str], environment: Mapping[str, str], cwd: Path, user: int | None = None) -> Ended:
    """Run to the end, also as another user, and measure."""
    stdout, stderr = cwd / "stdout", cwd / "stderr"
    told, tells = os.pipe()
    with stdout.open("wb") as out, stderr.open("wb") as err, os.fdopen(told) as answer:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MEASURED, str(tells), str(user or ""), *command],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            cwd=cwd,
            pass_fds=[tells],
        )
        os.close(tells)
        status, peak = map(int, answer.read().split())
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Ended(status, stdout.read_text(), stderr.read_text(), peak * unit)
