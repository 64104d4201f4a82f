"""Under which system account the embedded server runs, and what that account can reach.

Belongs here: choosing the account, running tools under it, folders that only it can read.
Does not belong here: what the tools do (``cluster``), or which ones they are (``binaries``).
"""

import hashlib
import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.errors import UnreachableError

# Seconds a tool may take. The longest is a start that first recovers from a crash, which has a limit of its own.
TOOL_SECONDS = 300
_ROOT = 0
_ID_WHERE_NOBODY_HAS_NO_ENTRY = 65534


@dataclass(frozen=True)
class Account:
    """A system account other than the caller's own, as PostgreSQL refuses to run as root."""

    uid: int
    gid: int


def server_account(data_dir: Path) -> Account | None:
    """Who runs the server on ``data_dir``: None for the caller; for root the folder's owner, or else nobody.

    Raises UnreachableError where the folder belongs to root.
    """
    if os.geteuid() != _ROOT:
        return None
    if data_dir.exists():
        owner = data_dir.stat()
        if owner.st_uid == _ROOT:
            raise UnreachableError(
                f"The data folder of the embedded PostgreSQL belongs to root, who may not run it: {data_dir}.",
                hint="Give it back with chown -R nobody, or set POSTGRES_URL.",
            )
        return Account(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(_ID_WHERE_NOBODY_HAS_NO_ENTRY, _ID_WHERE_NOBODY_HAS_NO_ENTRY)
    return Account(nobody.pw_uid, nobody.pw_gid)


def run_as(
    account: Account | None,
    command: Sequence[str | Path],
    *,
    given: str | None = None,
    output_to: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a tool in a session of its own, so that Ctrl-C in the caller's terminal does not reach what it starts.

    ``given`` is its input; ``output_to`` is a file descriptor for what it prints, which is otherwise returned.
    Raises OSError or SubprocessError where it cannot be run.
    """
    return subprocess.run(
        [str(word) for word in command],
        check=False,
        cwd="/",
        # PGDATA, PGOPTIONS and the like are meant for the user's own server; messages are read by this project.
        env={name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"},
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        stdout=subprocess.PIPE if output_to is None else output_to,
        stderr=subprocess.PIPE if output_to is None else output_to,
        text=True,
        errors="replace",
        timeout=TOOL_SECONDS,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def can_enter(account: Account | None, folder: Path) -> bool:
    """Whether the account reaches ``folder`` through all its parents, found out by going there."""
    return run_as(account, ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder]).returncode == 0


def can_run(account: Account | None, program: Path) -> bool:
    """Whether the account can start ``program``, found out by asking it for its version."""
    try:
        return run_as(account, [program, "--version"]).returncode == 0
    except OSError:
        return False


def outside_folder(state_dir: Path) -> Path:
    """Where root keeps for the server what the account cannot reach under ``state_dir``; one folder for each.

    Raises UnreachableError where no folder of the system will do.
    """
    name = "odyssey-" + hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16]
    for parent in (Path("/var/lib"), Path("/var/tmp"), Path(tempfile.gettempdir())):
        if _is_safe_from_others(parent) and os.access(parent, os.W_OK):
            return parent / name
    raise UnreachableError(
        f"The account nobody cannot reach {state_dir}, and neither /var/lib nor a temporary folder will do instead.",
        hint="Move the state with ODYSSEY_STATE_DIR, or set POSTGRES_URL.",
    )


def prepare_outside_folder(folder: Path, account: Account) -> None:
    """Make ``folder`` root's, readable for the account alone.

    Raises UnreachableError where somebody else has put something there first.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != _ROOT:
        raise UnreachableError(
            f"The folder for the embedded PostgreSQL was prepared by another user: {folder}.",
            hint="Look at it, remove it, and try again.",
        )
    os.chown(folder, _ROOT, account.gid, follow_symlinks=False)
    folder.chmod(0o750)


def _is_safe_from_others(folder: Path) -> bool:
    """Whether nobody but root can replace what root makes in there."""
    try:
        found = folder.stat()
    except OSError:
        return False
    is_closed = not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid == _ROOT and (is_closed or bool(found.st_mode & stat.S_ISVTX))
