"""pgbench: finding it, running scripts with it, and reading what it logged of every transaction.

The password is handed over in the child's environment, never on its command line, which everybody on the machine sees.

Belongs here: the program. Does not belong here: what it is given to run (``scripts``), or judging (``run``).
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import make_dsn, parse_dsn

from odyssey_assets.errors import ConfigurationError, UnreachableError
from odyssey_assets.loadtest.scripts import Script
from odyssey_assets.target.binaries import wheel_bin_dir
from odyssey_assets.target.url import TargetUrl, redact

_SYSTEM_DIR = Path("/usr/lib/postgresql")
_ENCRYPTED = ("require", "verify-ca", "verify-full")
_ABORTED = re.compile(
    r"client \d+ (?:script (?P<before>\d+) )?aborted in command \d+ (?:query \d+:|\(\w+\) of script (?P<after>\d+);)"
)
_ERROR = re.compile(r"ERROR: +(?P<said>.*)")
_AFTERMATH = re.compile(r'prepared statement "\w+" does not exist')
"""Said after a statement could not be prepared, which was said before."""

_MOST_THREADS = 8
GRACE_SECONDS = 120
"""How long it may take beyond the time it was given, for connecting and for queries that hang."""


@dataclass(frozen=True)
class Logged:
    """``milliseconds`` of each finished transaction and ``errors`` by script; ``said`` are the errors' sentences."""

    milliseconds: tuple[tuple[float, ...], ...]
    errors: tuple[int, ...]
    said: tuple[str, ...]


def find_pgbench(url: TargetUrl, candidates: Iterable[Path] | None = None) -> Path:
    """The program. Raises ConfigurationError where there is none.

    The embedded server's has no TLS, so that it comes last where the URL asks for TLS and first elsewhere.
    """
    found = [path for path in (_candidates() if candidates is None else candidates) if path.exists()]
    if not found:
        raise ConfigurationError(
            "There is no pgbench on this machine.", hint="Install the client programs of PostgreSQL."
        )
    if parse_dsn(url.uri).get("sslmode") in _ENCRYPTED:
        return found[-1]
    return found[0]


def run_pgbench(
    program: Path,
    url: TargetUrl,
    scripts: Sequence[Script],
    *,
    clients: int,
    seconds: int,
    per_second: float | None = None,
) -> Logged:
    """Run the scripts by their weights. ``per_second`` lets transactions arrive at that rate and counts the time they
    wait for a free client; without it every client goes on at once.

    Raises UnreachableError where it could not begin, ConfigurationError where the server has no room for the clients.
    """
    with tempfile.TemporaryDirectory(prefix="odyssey-loadtest-") as name:
        folder = Path(name)
        command: list[str] = [str(program), "--no-vacuum", "--log", f"--log-prefix={folder / 'log'}"]
        command += [f"--client={clients}", f"--jobs={min(clients, os.cpu_count() or 1, _MOST_THREADS)}"]
        # As Prisma does; through a pooler a prepared statement may be another connection's.
        command += [f"--time={seconds}", f"--protocol={'simple' if url.is_pooled else 'prepared'}"]
        command += [f"--rate={per_second:g}"] if per_second else []
        for place, script in enumerate(scripts):
            file = folder / f"script-{place}.sql"
            file.write_text(script.text, "utf-8")
            command.append(f"--file={file}@{script.weight}")
        done = _run([*command, _without_password(url)], url, seconds)
        if done.returncode not in (0, 2):
            raise _failure(done.stderr, url)
        return _logged(folder, done.stderr, len(scripts))


def _candidates() -> list[Path]:
    folders = []
    with suppress(UnreachableError):
        folders.append(wheel_bin_dir())
    if on_path := shutil.which("pgbench"):
        folders.append(Path(on_path).parent)
    return [folder / "pgbench" for folder in (*folders, *sorted(_SYSTEM_DIR.glob("*/bin")))]


def _run(command: Sequence[str], url: TargetUrl, seconds: int) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "LC_ALL": "C", "PGAPPNAME": "odyssey loadtest"}
    password = parse_dsn(url.uri).get("password")
    if password:
        environment["PGPASSWORD"] = password
    try:
        return subprocess.run(
            command,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=seconds + GRACE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(
            f"PostgreSQL at {url.redacted} did not answer the load test in time.",
            hint="odyssey watch tells of locks that are waited for; run again with fewer --clients.",
        ) from error


def _without_password(url: TargetUrl) -> str:
    parameters = {name: value for name, value in parse_dsn(url.uri).items() if name != "password"}
    return str(make_dsn(**parameters))


def _logged(folder: Path, stderr: str, count: int) -> Logged:
    times: list[list[float]] = [[] for _ in range(count)]
    errors, said = [0] * count, []
    for file in sorted(folder.glob("log*")):
        for line in file.read_text("ascii").splitlines():
            _client, _number, microseconds, script, *_rest = line.split()
            if microseconds.isdigit():
                times[int(script)].append(int(microseconds) / 1000)
            else:
                errors[int(script)] += 1
    for line in stderr.splitlines():
        if aborted := _ABORTED.search(line):
            errors[int(aborted["before"] or aborted["after"])] += 1
        if (error := _ERROR.search(line)) and not _AFTERMATH.match(error["said"]):
            said.append(error["said"])
    return Logged(tuple(map(tuple, times)), tuple(errors), tuple(dict.fromkeys(said)))


def _failure(stderr: str, url: TargetUrl) -> ConfigurationError | UnreachableError:
    lines = [line for line in stderr.splitlines() if "error:" in line] or stderr.strip().splitlines()[-1:]
    said = redact("; ".join(lines[:2]), url).replace("pgbench: error: ", "").rstrip(".")
    if "too many" in said or "slots are reserved" in said:
        return ConfigurationError(
            f"The server has no room for so many clients: {said}.", hint="Fewer --clients, or a higher max_connections."
        )
    return UnreachableError(f"pgbench could not run: {said}.")
