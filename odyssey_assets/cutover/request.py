"""What a cut-over is asked for.

Belongs here: the shape and its defaults. Does not belong here: reading options (``commands``, the Dagster layer).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.errors import ConfigurationError
from odyssey_assets.target.url import TargetUrl

FENCE_SECONDS = 900.0
"""How long the application may be kept from writing, where nobody says otherwise."""
WAIT_SECONDS = 10.0
"""How long a writer that is at it may take to finish."""
SMOKE_SECONDS = 120.0
"""How long a URL may take to give the status it should, while the application restarts."""

_WITH_STATUS = re.compile(r"(?P<url>.*)=(?P<status>\d{3})")


@dataclass(frozen=True)
class UrlCheck:
    """A page of the application and the status it should answer with."""

    url: str
    status: int


def url_check(text: str) -> UrlCheck:
    """``URL`` or ``URL=STATUS``. Raises ConfigurationError for anything but http and https."""
    match = _WITH_STATUS.fullmatch(text)
    url, status = (match["url"], match["status"]) if match else (text, "200")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"--check-url takes an http or https URL, not {text!r}.", hint="For example https://host/api/health=200."
        )
    return UrlCheck(url, int(status))


@dataclass(frozen=True)
class CutoverRequest:
    """``seals_source`` leaves the SQLite file fenced for good, otherwise it is released at the end.

    ``run_id`` names the run in the ledger; ``smoke_seconds`` is for each URL of ``url_checks``.
    """

    sqlite_path: Path
    target: TargetUrl
    snapshot_dir: Path
    scratch_dir: Path
    backup_dir: Path
    certificate_dir: Path
    is_rehearsal: bool = False
    seals_source: bool = True
    ignore_unknown: frozenset[str] = frozenset()
    fence_seconds: float = FENCE_SECONDS
    wait_seconds: float = WAIT_SECONDS
    url_checks: tuple[UrlCheck, ...] = ()
    smoke_seconds: float = SMOKE_SECONDS
    run_id: str = ""
