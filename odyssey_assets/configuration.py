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
ENV_DAGSTER_POSTGRES = "ODYSSEY_DAGSTER_POSTGRES_URL"


@dataclass(frozen=True)
class Settings:
    """One process's view of its surroundings.

    ``postgres_url`` is None when the embedded server is meant, ``sqlite_path`` when no source was named.
    """

    state_dir: Path
    sqlite_path: Path | None
    postgres_url: str | None
    dagster_postgres_url: str | None

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
    def sample_path(self) -> Path:
        return self.state_dir / "sample" / "odyssey.db"


def settings_from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; empty variables count as unset."""
    sqlite = environ.get(ENV_SQLITE, "").strip()
    return Settings(
        state_dir=Path(environ.get(ENV_STATE_DIR, "").strip() or PROJECT_DIR / ".odyssey").expanduser().resolve(),
        sqlite_path=sqlite_path_from(sqlite) if sqlite else None,
        postgres_url=environ.get(ENV_POSTGRES, "").strip() or None,
        dagster_postgres_url=environ.get(ENV_DAGSTER_POSTGRES, "").strip() or None,
    )


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
