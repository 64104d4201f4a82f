"""The proof of a table that was changed the quick way: the changed rows cell by cell, all others by arithmetic.

PostgreSQL's digest of the table is a sum over its rows. If it equals the ledger's sum, less the rows that were changed
or deleted, plus the rows that were changed or inserted, then no other row changed; and the changed rows are read back
and compared with the snapshot like any others.

Belongs here: that proof. Does not belong here: tables read in full (``prove``).
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from odyssey_assets.compare.differences import Comparison, DifferenceKind
from odyssey_assets.compare.rows import compare_rows
from odyssey_assets.sync.delta import QuickTable
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.staging import StagedTable, difference_rows
from odyssey_assets.target.digests import TargetDigest, chosen_rows_digest, table_digest
from odyssey_assets.target.reader import read_chosen_rows


def digest_before(session: Session, staged: StagedTable) -> TargetDigest:
    """Digest of the rows that are about to be changed or deleted."""
    return chosen_rows_digest(
        session.connection, session.schema, staged.table.name, staged.table.key, (staged.updates, staged.deletes)
    )


def prove_changed_rows(
    session: Session, quick: QuickTable, staged: StagedTable, before: TargetDigest, differences: Path
) -> tuple[Comparison, TargetDigest] | None:
    """The comparison after applying, and the table's new digest; None where the sum does not come out.

    In that case something beyond the changed rows changed too (a trigger, say), and only a full reading can tell.
    """
    written = (staged.updates, staged.inserts)
    after = chosen_rows_digest(session.connection, session.schema, staged.table.name, staged.table.key, written)
    whole = table_digest(session.connection, session.schema, staged.table.name)
    entry = quick.entry.target
    expected = TargetDigest(entry.rows - before.rows + after.rows, entry.total - before.total + after.total)
    if whole != expected:
        return None
    found = compare_rows(
        staged.table,
        _written_rows(staged, differences),
        read_chosen_rows(session.connection, session.schema, staged.table, written),
        session.request.scratch_dir,
    )
    comparison = replace(
        quick.comparison,
        target_rows=whole.rows,
        target_nulls={
            name: count - found.source_nulls[name] + found.target_nulls[name]
            for name, count in quick.comparison.source_nulls.items()
        },
        missing_rows=found.missing_rows,
        extra_rows=found.extra_rows,
        changed_rows=found.changed_rows,
        listed=found.listed,
    )
    return comparison, whole


def _written_rows(staged: StagedTable, differences: Path) -> Iterator[pa.RecordBatch]:
    for kind in (DifferenceKind.MISSING, DifferenceKind.CHANGED):
        yield from difference_rows(staged.table, differences, kind)
