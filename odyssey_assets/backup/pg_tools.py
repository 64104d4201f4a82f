"""PostgreSQL's own programs for dumping and restoring: finding ones that fit a server, and running them.

The password is handed over in the child's environment, never on its command line, which everybody on the machine sees.

Belongs here: choosing a tool, running it, its errors in this project's words. Does not belong here: what is dumped
(``postgresql``).
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import make_dsn, parse_dsn

from odyssey_assets.errors import ConfigurationError, IntegrityError, OdysseyError, UnreachableError
from odyssey_assets.target.binaries import wheel_bin_dir
from odyssey_assets.target.url import TargetUrl, redact

_SYSTEM_DIR = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) (?P<version>\d\S*)")
_MAJOR = re.compile(r"\d+")
_UNKNOWN_SETTING = re.compile(r'unrecognized configuration parameter "transaction_timeout"')
"""What a newer pg_restore sets and an older server does not know; it has nothing to do with the data."""

_SHOWN = 3


@dataclass(frozen=True)
class Tools:
    """One installation's pg_dump and pg_restore."""

    folder: Path
    major: int
    version: str


def tool_folders() -> tuple[Path, ...]:
    """Where PostgreSQL's programs may be on this machine."""
    folders = []
    with suppress(UnreachableError):
        folders.append(wheel_bin_dir())
    if on_path := shutil.which("pg_dump"):
        folders.append(Path(on_path).parent)
    return (*folders, *sorted(_SYSTEM_DIR.glob("*/bin")))


def tools_for(server_major: int, folders: Iterable[Path] | None = None) -> Tools:
    """The programs of the server's own version, or else of the next newer one.

    Raises ConfigurationError where there are only older ones, which cannot read the server.
    """
    found = [tools for folder in (tool_folders() if folders is None else folders) if (tools := _tools_in(folder))]
    fitting = [tools for tools in found if tools.major >= server_major]
    if not fitting:
        told = f"only {', '.join(sorted({tools.version for tools in found}))}" if found else "none"
        raise ConfigurationError(
            f"The server is PostgreSQL {server_major}, and of pg_dump there is {told} here, which is too old for it.",
            hint=f"Install the client programs of PostgreSQL {server_major} or newer.",
        )
    return min(fitting, key=lambda tools: tools.major)


def major_of(version: str) -> int:
    """18 for 18.6 or 18beta1. Raises ValueError for what is no version."""
    match = _MAJOR.match(version)
    if match is None:
        raise ValueError(version)
    return int(match[0])


def dump(tools: Tools, url: TargetUrl, path: Path, *, snapshot: str) -> None:
    """Write the whole database, as the exported snapshot shows it, in the custom format.

    Raises UnreachableError, ConfigurationError or OdysseyError with what pg_dump said.
    """
    done = _run(
        [
            tools.folder / "pg_dump",
            "--format=custom",
            f"--file={path}",
            f"--snapshot={snapshot}",
            "--lock-wait-timeout=30s",
            "--no-password",
            f"--dbname={_without_password(url)}",
        ],
        url,
    )
    if done.returncode:
        raise _failure("pg_dump", done.stderr, url)


def restore(tools: Tools, path: Path, url: TargetUrl, *, is_atomic: bool, keeps_rights: bool) -> None:
    """Restore a dump into an empty database, whose role owns everything then.

    ``is_atomic`` makes it all or nothing, ``keeps_rights`` grants what was granted. Raises IntegrityError where the
    dump cannot be read or restored, and what ``dump`` raises.
    """
    command: list[str | Path] = [tools.folder / "pg_restore", "--no-owner", "--no-password"]
    command += [] if keeps_rights else ["--no-privileges"]
    if is_atomic:
        command += ["--single-transaction", "--exit-on-error"]
    done = _run([*command, f"--dbname={_without_password(url)}", path], url)
    if done.returncode and _objections(done.stderr):
        raise _failure("pg_restore", done.stderr, url)
    if done.returncode and is_atomic:
        raise ConfigurationError(
            f"pg_restore {tools.version} sets what this older server does not know, and so nothing was restored.",
            hint="Install the client programs of the server's own version.",
        )


def _tools_in(folder: Path) -> Tools | None:
    if not (folder / "pg_restore").exists():
        return None
    try:
        done = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    match = _VERSION.search(done.stdout)
    return Tools(folder, major_of(match["version"]), match["version"]) if match else None


def _run(command: Sequence[str | Path], url: TargetUrl) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "LC_ALL": "C"}
    password = parse_dsn(url.uri).get("password")
    if password:
        environment["PGPASSWORD"] = password
    return subprocess.run(
        [str(word) for word in command],
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _without_password(url: TargetUrl) -> str:
    parameters = {name: value for name, value in parse_dsn(url.uri).items() if name not in ("password", "sslpassword")}
    return str(make_dsn(**parameters))


def _objections(stderr: str) -> list[str]:
    """The lines that tell of an error, the harmless one left out."""
    lines = [line for line in stderr.splitlines() if "error:" in line or "FATAL:" in line]
    return [line for line in lines if not _UNKNOWN_SETTING.search(line)]


def _failure(tool: str, stderr: str, url: TargetUrl) -> OdysseyError:
    lines = _objections(stderr) or stderr.strip().splitlines()[-1:]
    said = redact("; ".join(line.removeprefix(f"{tool}: ").removeprefix("error: ") for line in lines[:_SHOWN]), url)
    said = said.rstrip(".")
    if "No space left" in stderr or "could not write" in stderr:
        return UnreachableError(f"{tool} found no room left: {said}.", hint="Free some space and run again.")
    if "aborting because of server version mismatch" in stderr:
        return ConfigurationError(f"{tool} does not fit the server: {said}.")
    if "permission denied" in stderr:
        return ConfigurationError(
            f"The PostgreSQL role lacks a right: {said}.", hint="A backup needs to read every table of the database."
        )
    if "lock timeout" in stderr or "canceling statement due to lock" in stderr:
        return UnreachableError(f"Another session holds a lock that is needed: {said}.", hint="Run again.")
    if "connection to server" in stderr or "server closed the connection" in stderr:
        return UnreachableError(f"PostgreSQL at {url.redacted} cannot be reached: {said}.")
    return IntegrityError(f"{tool} failed: {said}.")
