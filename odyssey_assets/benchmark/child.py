"""One run of one contender in a process of its own, so that its peak of memory is its own.

Belongs here: the task in on stdin, the result out on stdout. Does not belong here: what is run (``contenders``).
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.benchmark.contender import Contender, Task
from odyssey_assets.benchmark.contenders import contender_named
from odyssey_assets.benchmark.memory import own_peak_bytes
from odyssey_assets.errors import IntegrityError, OdysseyError


@dataclass(frozen=True)
class Result:
    """Seconds by measure, and the largest resident size of the process or of the tool it ran."""

    seconds: Mapping[str, float]
    peak_bytes: int


def run_in_child(contender: Contender, task: Task) -> Result:
    """Run a contender. Raises IntegrityError, with what it said last, where it fails."""
    given = json.dumps(
        {
            "contender": contender.name,
            "sqlite": str(task.sqlite),
            "uri": task.uri,
            "folder": str(task.folder),
            "copy_folder": str(task.copy_folder),
        }
    )
    done = subprocess.run(
        [sys.executable, "-m", "odyssey_assets.benchmark.child"],
        check=False,
        input=given,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise IntegrityError(f"{contender.name} did not come to the end: {said[-1] if said else 'no reason given'}")
    answer = json.loads(done.stdout)
    return Result(answer["seconds"], answer["peak_bytes"])


def main() -> None:
    """Read the task, run it, write the result."""
    given = json.load(sys.stdin)
    task = Task(Path(given["sqlite"]), given["uri"], Path(given["folder"]), Path(given["copy_folder"]))
    try:
        seconds = contender_named(given["contender"]).run(task)
    except OdysseyError as error:
        sys.exit(str(error))
    json.dump({"seconds": dict(seconds), "peak_bytes": own_peak_bytes()}, sys.stdout)


if __name__ == "__main__":
    main()
