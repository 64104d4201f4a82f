"""Backups of the PostgreSQL side: ``pg_dump``'s custom format, with the digest of every table as the dump shows it.

Belongs here: taking one, restoring one. Does not belong here: PostgreSQL's programs (``pg_tools``), databases as a
whole (``databases``), trying a restore (``drill``).
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from odyssey_assets import __version__
from odyssey_assets.backup.content import read_content
from odyssey_assets.backup.databases import (
    administering,
    create_database,
    database_of,
    maintenance_url,
    name_beside,
    put_in_place,
    sessions_on,
)
from odyssey_assets.backup.manifest import Kind, Manifest, TableContent
from odyssey_assets.backup.pg_tools import Tools, dump, major_of, restore, tools_for
from odyssey_assets.backup.store import add_backup, new_id, require_whole
from odyssey_assets.errors import ConfigurationError, IntegrityError, RefusedError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.source.snapshot import file_sha256
from odyssey_assets.target.connection import connect, query, server_version
from odyssey_assets.target.digests import METHOD
from odyssey_assets.target.url import TargetUrl, url_of_database

DATA = "odyssey.dump"

_SHOWN = 5
_MAJOR = 10_000


@dataclass(frozen=True)
class RestoredDatabase:
    """``kept`` is the name the database that was there has now, None where it was empty."""

    manifest: Manifest
    database: str
    kept: str | None


def back_up_postgresql(url: TargetUrl, folder: Path, *, note: str = "") -> Manifest:
    """Dump the database, and digest every table in the very snapshot that is dumped.

    Raises ConfigurationError where every pg_dump here is older than the server, and what the parts raise.
    """

    def fill(partial: Path) -> Manifest:
        data = partial / DATA
        data.touch(mode=0o600)
        with connect(url, read_only=True) as connection:
            version = server_version(connection)
            tools = tools_for(version // _MAJOR)
            (exported,) = query(connection, "SELECT pg_export_snapshot() AS id")
            taken_at = datetime.now(UTC)
            dump(tools, url, data, snapshot=str(exported["id"]))
            tables = read_content(connection, url.schema)
        return Manifest(
            id=new_id(Kind.POSTGRESQL, taken_at),
            kind=Kind.POSTGRESQL,
            taken_at=taken_at,
            file=DATA,
            bytes=data.stat().st_size,
            sha256=file_sha256(data),
            versions={
                "odyssey": __version__,
                "server": str(version),
                "pg_dump": tools.version,
                "digest": METHOD,
                "schema": url.schema,
            },
            tables=tables,
            note=note,
        )

    return add_backup(folder, fill)


def restore_postgresql(
    folder: Path, manifest: Manifest, url: TargetUrl, *, replaces: bool = False, keeps_rights: bool = True
) -> RestoredDatabase:
    """Restore into the database of ``url``, all of it or nothing, and prove every table equal.

    An empty database is filled. Any other is refused unless it ``replaces`` it: then it is restored and proven beside,
    and takes the name; the one that was there keeps its rows under another. Raises RefusedError while anybody is
    connected to that one.
    """
    data = require_whole(folder, manifest)
    name = database_of(url)
    with connect(url, read_only=True) as connection:
        tools = tools_for_restore(manifest, server_version(connection))
        is_empty = not read_content(connection, url.schema)
    if is_empty:
        restore(tools, data, url, is_atomic=True, keeps_rights=keeps_rights)
        require_equal(manifest, url)
        return RestoredDatabase(manifest, name, None)
    if not replaces:
        raise RefusedError(
            f"The database {name} is not empty.",
            hint="Name an empty one, or say --replace to put the backup in its place; nothing was changed.",
        )
    return _restore_beside(manifest, data, url, tools, keeps_rights=keeps_rights)


def tools_for_restore(manifest: Manifest, version: int) -> Tools:
    """Programs that understand both the dump and the server."""
    return tools_for(max(version // _MAJOR, major_of(manifest.versions["pg_dump"])))


def require_equal(manifest: Manifest, url: TargetUrl) -> dict[str, TableContent]:
    """Every table of the database is what the manifest says it was, and as published where it was as published.

    Raises IntegrityError naming those that are not, ConfigurationError where the digests cannot be compared.
    """
    with connect(url, read_only=True) as connection:
        version = server_version(connection)
        found = read_content(connection, manifest.versions["schema"])
    backed_up_on = int(manifest.versions["server"])
    names = found.keys() | manifest.tables.keys()
    wrong = sorted(name for name in names if _told(found.get(name)) != _told(manifest.tables.get(name)))
    if wrong and (manifest.versions["digest"], backed_up_on // _MAJOR) != (METHOD, version // _MAJOR):
        raise ConfigurationError(
            f"Backup {manifest.id} was made by another version, whose digests cannot be compared with this one's.",
            hint=f"Use PostgreSQL {backed_up_on // _MAJOR} and odyssey {manifest.versions['odyssey']}.",
        )
    if not wrong and version == backed_up_on:
        # The ledger that was restored speaks of the tables that were restored with it.
        wrong = sorted(name for name in names if found[name].is_as_published != manifest.tables[name].is_as_published)
    if wrong:
        raise IntegrityError(
            f"Backup {manifest.id} was restored and is not what was dumped: {', '.join(wrong[:_SHOWN])}.",
            table=wrong[0],
        )
    return found


def _told(content: TableContent | None) -> tuple[int, str | None] | None:
    return None if content is None else (content.rows, content.digest)


def _restore_beside(
    manifest: Manifest, data: Path, url: TargetUrl, tools: Tools, *, keeps_rights: bool
) -> RestoredDatabase:
    name = database_of(url)
    new = name_beside(name, f"_restoring_{secrets.token_hex(4)}")
    kept = name_beside(name, f"_before_restore_{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    with administering(maintenance_url(url)) as connection:
        _refuse_sessions(sessions_on(connection, name), name)
        create_database(connection, new)
        try:
            beside = url_of_database(url, new)
            restore(tools, data, beside, is_atomic=False, keeps_rights=keeps_rights)
            require_equal(manifest, beside)
            _refuse_sessions(sessions_on(connection, name), name)
            put_in_place(connection, new, name, kept)
        except BaseException:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS {quoted(new)} WITH (FORCE)")
            raise
    return RestoredDatabase(manifest, name, kept)


def _refuse_sessions(sessions: list[str], name: str) -> None:
    if sessions:
        raise RefusedError(
            f"Somebody is connected to the database {name}: {', '.join(sessions[:_SHOWN])}.",
            hint="Stop the application and whatever else uses it, then run again; nothing was changed.",
        )
