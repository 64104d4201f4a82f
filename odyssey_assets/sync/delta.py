"""The quick way of a re-sync: what cannot have changed is not read.

A table whose pages are those of the snapshot it was last published from has not changed in SQLite; a table whose digest
is the one the ledger holds has not changed in PostgreSQL. Where both hold, it is as equal as it was proven then. Where
only pages differ, the rows on them are read from both snapshots, and what differs there is what differs between SQLite
and PostgreSQL. In every other case the table is read in full.

Belongs here: sorting tables into these three, and the differences of the second kind. Does not belong here: applying
them (``apply``), proving them (``prove_delta``), or tables read in full (``prove``).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from odyssey_assets.compare.differences import Comparison, DifferenceKind
from odyssey_assets.compare.digest import ContentDigest
from odyssey_assets.compare.keyed import compare_by_key
from odyssey_assets.compare.rows import LISTED_DIFFERENCES, comparable
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.preflight.changed_keys import refers_to_gone, refers_to_nothing
from odyssey_assets.source.pages import PageChanges, Rowids, changed_rows
from odyssey_assets.source.reader import read_table
from odyssey_assets.source.snapshot import open_snapshot, snapshot_path
from odyssey_assets.source.survey import unsurveyed
from odyssey_assets.sync.ledger import LedgerEntry
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.staging import difference_rows
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.digests import TargetDigest

LARGEST_DELTA_SHARE = 0.2
"""When more of a table's rows than this are on changed pages, reading it in full is as quick."""

SMALL_DELTA_ROWS = 1_000
LARGEST_DELTA_ROWS = 200_000
"""Rows on changed pages are held in memory, old and new."""


@dataclass(frozen=True)
class QuickTable:
    """A table that is not read in full: its differences so far, and its content digest after them.

    ``rowids`` are the rows on changed pages, None where there is no changed page.
    """

    table: CarriedTable
    entry: LedgerEntry
    comparison: Comparison
    rowids: Rowids | None


def quick_tables(
    session: Session,
    catalog: TargetCatalog,
    tables: tuple[CarriedTable, ...],
    ledger: Mapping[str, LedgerEntry],
    digests: Mapping[str, TargetDigest],
    changes_since: Mapping[str, PageChanges | None],
    server_version: int,
    folder: Path,
) -> dict[str, QuickTable]:
    """The tables for which the quick way is open; their differences are kept in ``folder`` as a full comparison would.

    ``changes_since`` is what ``page_changes`` found. There are none where the changed rows break a key, for then rows
    beyond them may have to be named.
    """
    found: dict[str, QuickTable] = {}
    for table in tables:
        entry = ledger.get(table.name)
        if entry is None or entry.target != digests[table.name] or entry.server_version != server_version:
            continue
        comparison = source_comparison(session, table, entry, changes_since, keep=folder / f"{table.name}.parquet")
        if comparison is not None:
            found[table.name] = QuickTable(table, entry, comparison, _rowids(table, entry, changes_since))
    return {} if _break_keys(session, catalog, found, folder) else found


def page_changes(session: Session, entries: Iterable[LedgerEntry]) -> dict[str, PageChanges | None]:
    """What changed since each snapshot the ledger names; None where that snapshot is gone or cannot tell.

    Takes no part in the session's transaction, so it can run beside it.
    """
    bytes_by_snapshot = {entry.snapshot_id: entry.snapshot_bytes for entry in entries}
    found: dict[str, PageChanges | None] = {}
    for identity, size_bytes in bytes_by_snapshot.items():
        if identity == session.snapshot.id:
            found[identity] = PageChanges({})
            continue
        old = snapshot_path(session.request.snapshot_dir, identity)
        is_at_hand = old.exists() and old.stat().st_size == size_bytes
        found[identity] = changed_rows(old, session.snapshot.path) if is_at_hand else None
    return found


def _break_keys(session: Session, catalog: TargetCatalog, quick: Mapping[str, QuickTable], folder: Path) -> bool:
    """Whether a changed row may refer to nothing, or a row that is gone is still referred to."""
    changed = {name: table.rowids for name, table in quick.items() if table.rowids is not None}
    with open_snapshot(session.snapshot.path) as connection:
        for name, table in quick.items():
            for key in catalog.tables[name].foreign_keys:
                if name in changed and key.parent not in session.request.publish:
                    # Whether PostgreSQL holds that parent, the full examination asks.
                    return True
                if set(key.columns) <= set(table.table.column_names) and key.parent in session.source.tables:
                    if name in changed and refers_to_nothing(connection, key, changed[name]):
                        return True
                    gone = quick.get(key.parent)
                    if gone is not None and gone.comparison.extra_rows:
                        rows = difference_rows(gone.table, folder / f"{key.parent}.parquet", DifferenceKind.EXTRA)
                        if refers_to_gone(connection, key, rows):
                            return True
    return False


def source_comparison(
    session: Session,
    table: CarriedTable,
    entry: LedgerEntry,
    changes_since: Mapping[str, PageChanges | None],
    *,
    keep: Path | None,
) -> Comparison | None:
    """The snapshot compared with what was published last, from the rows on changed pages alone.

    None where that is not possible: the entry does not describe these columns, rows were held back, pages cannot tell,
    the old snapshot is damaged, too many rows are concerned, one of them cannot be carried, which a full reading must
    name, or the differences found do not add up to the difference of the digests.
    """
    is_described = entry.columns == table.column_names and entry.source_digest is not None and not entry.held_rows
    if not is_described or not session.source.tables[table.name].has_rowid or not table.is_key_unique:
        return None
    if changes_since[entry.snapshot_id] is None:
        return None
    rowids = _rowids(table, entry, changes_since)
    basis = f"pages and digest unchanged since publication {entry.publication}"
    if rowids is None:
        return _comparison(session, table, entry, dict(entry.nulls), entry.source_digest, basis)
    if len(rowids) > min(LARGEST_DELTA_SHARE * entry.rows + SMALL_DELTA_ROWS, LARGEST_DELTA_ROWS):
        return None
    return _compare_rows(session, table, entry, rowids, basis, keep)


def _rowids(table: CarriedTable, entry: LedgerEntry, changes_since: Mapping[str, PageChanges | None]) -> Rowids | None:
    changes = changes_since[entry.snapshot_id]
    return None if changes is None else changes.rowids_by_table.get(table.name)


def _compare_rows(
    session: Session, table: CarriedTable, entry: LedgerEntry, rowids: Rowids, basis: str, keep: Path | None
) -> Comparison | None:
    assert entry.source_digest is not None
    new = _rows(session.snapshot.path, table, rowids)
    try:
        old = _rows(snapshot_path(session.request.snapshot_dir, entry.snapshot_id), table, rowids)
    except (IntegrityError, pa.ArrowException):
        # A copy on disk for weeks may get damaged, and must not stop every sync from then on.
        return None
    if new is None or old is None:
        return None
    keyed = compare_by_key(
        table, iter(new), iter(old), session.request.scratch_dir, listed=LISTED_DIFFERENCES, keep=keep
    )
    moved = _digest(new) - _digest(old)
    if keep is not None and moved != _kept_digest(table, keep):
        # A row was overlooked. What is not known to differ would never be looked at again.
        return None
    digest = entry.source_digest + moved
    nulls = {name: entry.nulls[name] + _nulls(new, name) - _nulls(old, name) for name in table.column_names}
    looked_at = sum(batch.num_rows for batch in new)
    basis = f"{looked_at:,} rows on changed pages read, the others {basis}"
    return replace(
        _comparison(session, table, entry, nulls, digest, basis),
        missing_rows=keyed.missing_rows,
        extra_rows=keyed.extra_rows,
        changed_rows=keyed.changed_rows,
        listed=keyed.listed,
    )


def _comparison(
    session: Session,
    table: CarriedTable,
    entry: LedgerEntry,
    nulls: Mapping[str, int],
    digest: int | None,
    basis: str,
) -> Comparison:
    return Comparison(
        table=table.name,
        columns=table.column_names,
        source_rows=_count_rows(session.snapshot.path, table.name),
        target_rows=entry.target.rows,
        source_nulls=nulls,
        target_nulls=dict(entry.nulls),
        source_digest=digest,
        basis=basis,
    )


def _rows(snapshot: Path, table: CarriedTable, rowids: Rowids) -> list[pa.RecordBatch] | None:
    batches = list(_comparable_rows(snapshot, table, rowids))
    return None if any(batch is None for batch in batches) else [batch for batch in batches if batch is not None]


def _comparable_rows(snapshot: Path, table: CarriedTable, rowids: Rowids) -> Iterator[pa.RecordBatch | None]:
    for batch in read_table(snapshot, table, unsurveyed(table.name, table.kinds), only=rowids):
        yield None if batch.misfits else comparable(table, batch.rows)


def _digest(batches: Iterable[pa.RecordBatch]) -> int:
    digest = ContentDigest()
    for batch in batches:
        digest.add(batch)
    return digest.total


def _kept_digest(table: CarriedTable, keep: Path) -> int:
    """The new rows' digest less the old rows', of the differences that were kept."""
    if not keep.exists():
        return 0
    new, old = (
        _digest(
            comparable(table, rows)
            for kind in (whole, DifferenceKind.CHANGED)
            for rows in difference_rows(table, keep, kind, of_target=whole is DifferenceKind.EXTRA)
        )
        for whole in (DifferenceKind.MISSING, DifferenceKind.EXTRA)
    )
    return new - old


def _nulls(batches: list[pa.RecordBatch], name: str) -> int:
    return sum(batch.column(name).null_count for batch in batches)


def _count_rows(snapshot: Path, table: str) -> int:
    with open_snapshot(snapshot) as connection:
        (rows,) = connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()
    return int(rows)
