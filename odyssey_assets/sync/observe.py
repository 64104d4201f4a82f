"""How far the source has moved on, without touching the target's tables.

Belongs here: a version of each source table's content, and the proof that nothing changed on either side at all.
Does not belong here: bringing anything in step.
"""

from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.compare.pairing import pair
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.source.snapshot import require_sqlite_file, snapshot_path
from odyssey_assets.source.unchanged import is_unchanged
from odyssey_assets.sync.delta import page_changes, source_comparison
from odyssey_assets.sync.ledger import LedgerEntry, last_publication, read_ledger
from odyssey_assets.sync.outcome import Request
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.source_snapshot import snapshot_to_read
from odyssey_assets.target.catalog import read_catalog
from odyssey_assets.target.connection import connect, server_version
from odyssey_assets.target.digests import table_digest


@dataclass(frozen=True)
class SourceTableVersion:
    """``version`` is equal exactly when the content is; ``rows_behind`` is None where that is not known."""

    table: str
    version: str
    rows_behind: int | None


def observe_source(request: Request) -> tuple[SourceTableVersion, ...]:
    """Versions of the content of every table that both sides have.

    A table that was published gets its content digest, followed from the ledger over the changed pages; where that way
    is closed the version is the snapshot's id, which differs from every other, and the rows behind are not known.
    """
    with connect(request.target, read_only=True) as connection:
        ledger = read_ledger(connection, request.target.schema)
        target = read_catalog(connection, request.target.schema)
        last = last_publication(connection, request.target.schema)
        snapshot = snapshot_to_read(request, last, ledger.values()).snapshot
        source = inspect_source(snapshot.path)
        session = Session(request, connection, snapshot, source, lambda _: None)
        tables = pair(source, target, request.ignore_unknown).tables
        changes_since = page_changes(session, ledger.values())
        versions = []
        for table in tables:
            entry = ledger.get(table.name)
            found = None if entry is None else source_comparison(session, table, entry, changes_since, keep=None)
            if found is None:
                versions.append(SourceTableVersion(table.name, f"snapshot {snapshot.id}", None))
            else:
                versions.append(SourceTableVersion(table.name, str(found.source_digest), found.different_rows))
        return tuple(versions)


def unchanged_since(request: Request) -> str | None:
    """Why a sync would change nothing, as a sentence; None where that is not proven.

    Proven means: the live file's pages are those of the snapshot last published, with no write-ahead log pending, and
    PostgreSQL's digest of every table is the ledger's.
    """
    require_sqlite_file(request.sqlite_path)
    with connect(request.target, read_only=True) as connection:
        last = last_publication(connection, request.target.schema)
        if last is None:
            return None
        snapshot = snapshot_path(request.snapshot_dir, last.snapshot_id)
        if not is_unchanged(request.sqlite_path, snapshot):
            return None
        ledger = read_ledger(connection, request.target.schema)
        version = server_version(connection)
        published = {name: ledger[name] for name in request.publish if name in ledger}
        if _carried_tables(request, snapshot) - published.keys():
            return None
        for name, entry in published.items():
            if not _is_untouched(entry, last.id, version) or entry.target != table_digest(
                connection, request.target.schema, name
            ):
                return None
    return f"SQLite and PostgreSQL are unchanged since publication {last.id} ({last.published_at})"


def _is_untouched(entry: LedgerEntry, publication: int, version: int) -> bool:
    return entry.publication == publication and entry.server_version == version and not entry.held_rows


def _carried_tables(request: Request, snapshot: Path) -> frozenset[str]:
    """Those of the tables asked for that the source has."""
    return request.publish & inspect_source(snapshot).tables.keys()
