"""Where things are and which databases are meant, read from the environment once, on request.

Belongs here: names of environment variables, default places, Prisma's ``file:`` URLs.
Does not belong here: opening any of it (see ``source`` and ``target``), or command line parsing (``cli``).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.errors import ConfigurationError

PROJECT_DIR = Path(__file__).resolve().parent.parent
ENV_STATE_DIR = "ODYSSEY_STATE_DIR"
ENV_SQLITE = "ODYSSEY_SQLITE_PATH"
ENV_POSTGRES = "POSTGRES_URL"
ENV_ADMIN = "ODYSSEY_ADMIN_URL"
ENV_SCRATCH = "ODYSSEY_SCRATCH_URL"
FILE_SUFFIX = "_FILE"
"""Each variable that holds a PostgreSQL URL can be replaced by one of this name more, which names a file."""

ENV_DUAL_RUN = "ODYSSEY_DUAL_RUN"
ENV_SYNC_ON_CHANGE = "ODYSSEY_SYNC_ON_CHANGE"
ENV_SYNC_CRON = "ODYSSEY_SYNC_CRON"
ENV_WATCH_CRON = "ODYSSEY_WATCH_CRON"
ENV_VACUUM_CRON = "ODYSSEY_VACUUM_CRON"
ENV_BACKUP_CRON = "ODYSSEY_BACKUP_CRON"
ENV_OVERDUE_MINUTES = "ODYSSEY_OVERDUE_MINUTES"
ENV_DEBOUNCE_SECONDS = "ODYSSEY_DEBOUNCE_SECONDS"
ENV_DAGSTER_POSTGRES = "ODYSSEY_DAGSTER_POSTGRES_URL"


@dataclass(frozen=True)
class Settings:
    """One process's view of its surroundings.

    ``postgres_url`` is None when the embedded server is meant, ``sqlite_path`` when no source was named.
    ``scratch_postgres_url`` is where restores are tried, None for the target's own server.
    """

    state_dir: Path
    sqlite_path: Path | None
    postgres_url: str | None
    dagster_postgres_url: str | None
    scratch_postgres_url: str | None = None

    @property
    def dagster_home(self) -> Path:
        return self.state_dir / "dagster"

    @property
    def snapshot_dir(self) -> Path:
        return self.state_dir / "snapshots"

    @property
    def report_dir(self) -> Path:
        return self.state_dir / "reports"

    @property
    def scratch_dir(self) -> Path:
        return self.state_dir / "scratch"

    @property
    def backup_dir(self) -> Path:
        return self.state_dir / "backups"

    @property
    def certificate_dir(self) -> Path:
        return self.state_dir / "certificates"

    @property
    def carry_back_dir(self) -> Path:
        return self.state_dir / "carried-back"

    @property
    def sample_path(self) -> Path:
        return self.state_dir / "sample" / "odyssey.db"


def settings_from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; empty variables count as unset."""
    sqlite = environ.get(ENV_SQLITE, "").strip()
    return Settings(
        state_dir=Path(environ.get(ENV_STATE_DIR, "").strip() or PROJECT_DIR / ".odyssey").expanduser().resolve(),
        sqlite_path=sqlite_path_from(sqlite) if sqlite else None,
        postgres_url=postgres_url_from(ENV_POSTGRES, environ),
        dagster_postgres_url=postgres_url_from(ENV_DAGSTER_POSTGRES, environ),
        scratch_postgres_url=postgres_url_from(ENV_SCRATCH, environ),
    )


def postgres_url_from(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The URL in the variable, or else in the file that the variable with ``_FILE`` names; None where neither is set.

    A file that others may read is taken as it is: that is how Kubernetes mounts a secret. Raises ConfigurationError,
    which repeats nothing of what is in it, for a file that cannot be read or holds no single line.
    """
    url = environ.get(name, "").strip()
    file = environ.get(name + FILE_SUFFIX, "").strip()
    if url or not file:
        return url or None
    try:
        text = Path(file).expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(f"The file {file} that {name}{FILE_SUFFIX} names cannot be read: {reason}.") from None
    if not text or len(text.splitlines()) > 1:
        raise ConfigurationError(
            f"The file {file} that {name}{FILE_SUFFIX} names must hold one line with the URL of a PostgreSQL database."
        )
    return text


@dataclass(frozen=True)
class DualRun:
    """How the dual run is driven. Minutes and seconds as in the names of the variables."""

    is_on: bool = False
    reacts_to_changes: bool = False
    cron: str = "*/15 * * * *"
    overdue_minutes: float = 45.0
    debounce_seconds: float = 3.0
    backup_cron: str = "41 2 * * *"
    watch_cron: str = "*/10 * * * *"
    vacuum_cron: str = "40 3 * * *"


def dual_run_from_environment(environ: Mapping[str, str] = os.environ) -> DualRun:
    """Read the dual run's settings. Raises ConfigurationError for a number that is none."""
    default = DualRun()
    return DualRun(
        is_on=environ.get(ENV_DUAL_RUN, "").strip() == "1",
        reacts_to_changes=environ.get(ENV_SYNC_ON_CHANGE, "").strip() == "1",
        cron=environ.get(ENV_SYNC_CRON, "").strip() or default.cron,
        overdue_minutes=_number(environ, ENV_OVERDUE_MINUTES, default.overdue_minutes),
        debounce_seconds=_number(environ, ENV_DEBOUNCE_SECONDS, default.debounce_seconds),
        backup_cron=environ.get(ENV_BACKUP_CRON, "").strip() or default.backup_cron,
        watch_cron=environ.get(ENV_WATCH_CRON, "").strip() or default.watch_cron,
        vacuum_cron=environ.get(ENV_VACUUM_CRON, "").strip() or default.vacuum_cron,
    )


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not value > 0:
        raise ConfigurationError(f"{name} must be a number above zero, not {text!r}.", hint="Correct or unset it.")
    return value


def sqlite_path_from(text: str) -> Path:
    """A plain path, or Prisma's ``file:./dev.db?connection_limit=1``, as an absolute path.

    Raises ConfigurationError for any other URL scheme, and for the home folder of a user there is not.
    """
    if text.startswith("file:"):
        text = text.removeprefix("file:").split("?", 1)[0]
        if text.startswith("//"):
            text = text.removeprefix("//")
    elif "://" in text:
        raise ConfigurationError(
            f"The source must be a SQLite file, but a URL of another kind was given: {text.split('://', 1)[0]}://...",
            hint="Give a path, or Prisma's form file:./dev.db.",
        )
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigurationError(f"The home folder in {text} is unknown.", hint="Give the whole path.") from error
