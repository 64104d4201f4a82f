"""What a report says of a run besides its verdict: when, as which job, from where, to where, with which versions.

Belongs here: gathering those facts once the run has ended. Does not belong here: the verdict (``sync``), or the form
in which either is told (``document``).
"""

import platform
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from odyssey_assets import __version__
from odyssey_assets.errors import OdysseyError
from odyssey_assets.sync.ledger import LedgerEntry, Publication, last_publication, read_ledger
from odyssey_assets.target.connection import connect, query
from odyssey_assets.target.url import TargetUrl


@dataclass(frozen=True)
class TargetFacts:
    """The target as a person may know it, its password hidden.

    ``server_version`` is None where the server was not asked or did not answer, ``publication`` where nothing was ever
    published; ``ledger`` has the newest entry of each table.
    """

    url: str
    schema: str
    server_version: str | None = None
    publication: Publication | None = None
    ledger: Mapping[str, LedgerEntry] = field(default_factory=dict)


@dataclass(frozen=True)
class RunFacts:
    """One run. ``job`` is Dagster's name of it; ``source`` and ``target`` are None where none was named."""

    run_id: str
    job: str
    started_at: datetime
    finished_at: datetime
    source: Path | None = None
    target: TargetFacts | None = None


def ask_target(url: TargetUrl) -> TargetFacts:
    """Ask the server for its version and for what the ledger says; a server that does not answer costs only those."""
    try:
        with connect(url, read_only=True) as connection:
            (row,) = query(connection, "SELECT current_setting('server_version') AS version")
            return TargetFacts(
                url.redacted,
                url.schema,
                str(row["version"]),
                last_publication(connection, url.schema),
                read_ledger(connection, url.schema),
            )
    except OdysseyError:
        return TargetFacts(url.redacted, url.schema)


def software_versions() -> dict[str, str]:
    """What this process runs on. ``duckdb`` is there since digests of two of its versions are never compared."""
    return {
        "odyssey": __version__,
        "python": platform.python_version(),
        "dagster": version("dagster"),
        "sqlite": sqlite3.sqlite_version,
        "duckdb": version("duckdb"),
    }
