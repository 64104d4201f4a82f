"""Where alerts go and how often, read from the environment.

Belongs here: names of variables, and cutting a list of URLs into channels. Does not belong here: using them
(``delivery``, ``heartbeat``).
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from odyssey_assets.alerts.observation import Notice
from odyssey_assets.errors import ConfigurationError
from odyssey_assets.findings import Severity

ENV_URLS = "ODYSSEY_ALERT_URLS"
ENV_URLS_FILE = "ODYSSEY_ALERT_URLS_FILE"
ENV_HEARTBEAT = "ODYSSEY_HEARTBEAT_URL"
ENV_REMINDER_MINUTES = "ODYSSEY_ALERT_REMINDER_MINUTES"
ENV_UI_URL = "ODYSSEY_UI_URL"

DEFAULT_REMINDER_MINUTES = 240.0

_EVERYTHING = (Severity.ERROR, Severity.WARNING)
_SEPARATOR = re.compile(r"\s*,\s*(?=(?:[a-z]+=)?[a-z][a-z0-9+.-]*://)|\s+", re.IGNORECASE)
_CHANNEL = re.compile(r"(?:(?P<tag>[a-z]+)=)?(?P<url>(?P<scheme>[a-z][a-z0-9+.-]*)://.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Channel:
    """One Apprise URL and what it takes. ``label`` names it without telling where it leads; ``id`` is a digest."""

    id: str
    label: str
    severities: tuple[Severity, ...]
    url: str = field(repr=False)

    def takes(self, notice: Notice) -> bool:
        return bool(set(self.severities) & set(notice.severities))


@dataclass(frozen=True)
class AlertSettings:
    """Everything the alerts are told by their surroundings. ``ui_url`` is where people reach the UI, if that is set."""

    channels: tuple[Channel, ...]
    heartbeat_url: str | None = field(repr=False)
    reminder_seconds: float
    ui_url: str | None

    @property
    def is_on(self) -> bool:
        return bool(self.channels) or self.heartbeat_url is not None


def alert_settings_from_environment(environ: Mapping[str, str] = os.environ) -> AlertSettings:
    """Read the settings; empty variables count as unset. Raises ConfigurationError, which never tells a URL."""
    heartbeat = environ.get(ENV_HEARTBEAT, "").strip()
    if heartbeat and not heartbeat.lower().startswith(("http://", "https://")):
        raise ConfigurationError(f"{ENV_HEARTBEAT} must be an http or https URL.", hint="Correct or unset it.")
    return AlertSettings(
        channels=channels_from(f"{environ.get(ENV_URLS, '')}\n{_file_text(environ.get(ENV_URLS_FILE, '').strip())}"),
        heartbeat_url=heartbeat or None,
        reminder_seconds=60 * _minutes(environ.get(ENV_REMINDER_MINUTES, "").strip()),
        ui_url=environ.get(ENV_UI_URL, "").strip().rstrip("/") or None,
    )


def is_configured(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody asked for alerts or a heartbeat, rightly or wrongly."""
    return any(environ.get(name, "").strip() for name in (ENV_URLS, ENV_URLS_FILE, ENV_HEARTBEAT))


def channels_from(text: str) -> tuple[Channel, ...]:
    """Channels of a list of URLs, each with ``error=`` or ``warning=`` before it or nothing.

    Where no channel takes errors, all of them do: an error always has somewhere to go. A URL given twice is one
    channel. Raises ConfigurationError with the place in the list of what is not understood.
    """
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    parts = [bare for part in _SEPARATOR.split(lines) if (bare := part.strip(","))]
    channels = {
        channel.url: channel for channel in (_channel(place, part) for place, part in enumerate(parts, start=1))
    }
    takes_errors = any(Severity.ERROR in channel.severities for channel in channels.values())
    return tuple(channel if takes_errors else replace(channel, severities=_EVERYTHING) for channel in channels.values())


def _channel(place: int, part: str) -> Channel:
    found = _CHANNEL.fullmatch(part)
    tag = (found["tag"] or "").lower() if found else ""
    if found is None or tag not in ("", *_EVERYTHING):
        raise ConfigurationError(
            f"Entry {place} of {ENV_URLS} is not understood.",
            hint="Entries are Apprise URLs such as mailtos://..., with error= or warning= before them or nothing, "
            "separated by spaces, commas or line ends.",
        )
    url = found["url"]
    return Channel(
        id=hashlib.sha256(url.encode()).hexdigest()[:16],
        label=f"channel {place} ({found['scheme'].lower()})",
        severities=(Severity(tag),) if tag else _EVERYTHING,
        url=url,
    )


def _file_text(name: str) -> str:
    if not name:
        return ""
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        raise ConfigurationError(
            f"The file that {ENV_URLS_FILE} names cannot be read: {name}.", hint="Correct or unset it."
        ) from error


def _minutes(text: str) -> float:
    try:
        minutes = float(text) if text else DEFAULT_REMINDER_MINUTES
    except ValueError:
        minutes = -1.0
    if not minutes > 0:
        raise ConfigurationError(f"{ENV_REMINDER_MINUTES} must be a number above zero, not {text!r}.")
    return minutes
