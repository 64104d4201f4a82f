"""Which PostgreSQL is meant: the one named by URL, or the embedded one, started on demand.

Belongs here: choosing. Does not belong here: starting it (``embedded``), or URLs (``url``).
"""

from pathlib import Path

from odyssey_assets.configuration import Settings
from odyssey_assets.target.embedded import ensure_database, ensure_running
from odyssey_assets.target.url import TargetUrl, parse_target_url

APPLICATION_DATABASE = "odyssey"
DAGSTER_DATABASE = "dagster"

UNHURRIED = "options=-c%20synchronous_commit%3Doff"
"""Dagster commits each of a run's thousand events by itself; not waiting for the disk each time took 0.75 x of the
whole of a small run. A power cut may cost the last half second of its log, and nothing of the application's data."""


def locate_target(settings: Settings) -> TargetUrl:
    """The application's database. Starts the embedded server where no URL was given."""
    return parse_target_url(settings.postgres_url or _embedded_uri(settings, APPLICATION_DATABASE))


def locate_dagster_storage(settings: Settings) -> TargetUrl:
    """The database of Dagster's own storage, embedded where no URL was given."""
    if settings.dagster_postgres_url:
        return parse_target_url(settings.dagster_postgres_url)
    uri = _embedded_uri(settings, DAGSTER_DATABASE)
    return parse_target_url(f"{uri}{'&' if '?' in uri else '?'}{UNHURRIED}")


def embedded_data_dir(settings: Settings) -> Path | None:
    """Where the target keeps its data, if it is the embedded server; else it may be on another machine."""
    if settings.postgres_url:
        return None
    return ensure_running(settings.state_dir).data_dir


def _embedded_uri(settings: Settings, database: str) -> str:
    server = ensure_running(settings.state_dir)
    ensure_database(server, database)
    return server.uri_of(database)
