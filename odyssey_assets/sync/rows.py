"""The rows of the snapshot that a run carries: all of them, less those that are held back.

Belongs here: the one stream that load, comparison and proof all read. Does not belong here: deciding which rows are
held back (``preflight``), or keeping them (``quarantine``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from odyssey_assets.compare.digest import DigestedRows
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.privacy import shown_key
from odyssey_assets.prefetch import prefetched_each
from odyssey_assets.preflight.objections import Rowids
from odyssey_assets.source.reader import SourceBatch, read_table
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.source.values import Misfit
from odyssey_assets.sync.session import Session


def carried_rows(session: Session, table: CarriedTable, survey: TableSurvey) -> Iterator[pa.RecordBatch]:
    """Stream the rows of one table that are carried, in rowid order.

    Raises IntegrityError, with table, column and key, at the first value that cannot be carried and is not held back.
    """
    return rows_not_held(session.snapshot.path, table, survey, session.held_back.get(table.name))


@dataclass(frozen=True)
class RowsAhead:
    """The rows of one table, read ahead; ``digest`` tells their content digest once all were drawn, until then None."""

    batches: Iterator[pa.RecordBatch]
    digest: Callable[[], int | None]


@contextmanager
def carried_rows_of(
    session: Session,
    surveys: Mapping[str, TableSurvey],
    *,
    to_load: Sequence[CarriedTable] = (),
    to_prove: Sequence[CarriedTable] = (),
    known_digests: Mapping[str, int | None] | None = None,
) -> Iterator[Iterator[RowsAhead]]:
    """The rows of several tables, read ahead in a thread that is gone when the block ends.

    First those to load, which are not digested, then those to prove; of these the thread makes the digest as well,
    where it is not known already.
    """
    known = known_digests or {}

    def rows(table: CarriedTable) -> Iterator[pa.RecordBatch]:
        return carried_rows(session, table, surveys[table.name])

    proofs = [DigestedRows(table, rows(table), known.get(table.name)) for table in to_prove]
    digests = [*(_nobody_asks for _ in to_load), *(each.digest for each in proofs)]
    with prefetched_each(chain(map(rows, to_load), map(iter, proofs))) as streams:
        yield map(RowsAhead, streams, digests)


def _nobody_asks() -> None:
    return None


def rows_not_held(
    snapshot: Path, table: CarriedTable, survey: TableSurvey, held: Rowids | None
) -> Iterator[pa.RecordBatch]:
    """The same of any finished file, less the rows with these rowids."""
    for batch in read_table(snapshot, table, survey, with_rowids=held is not None):
        if held is None:
            _require_no_misfits(table, batch, batch.misfits)
            yield batch.rows
        else:
            yield _without_held_rows(table, batch, held)


def carried_row_count(session: Session, table: CarriedTable, survey: TableSurvey) -> int:
    """How many rows of the snapshot are carried."""
    return survey.rows - len(session.held_back.get(table.name, ()))


def _without_held_rows(table: CarriedTable, batch: SourceBatch, held: Rowids) -> pa.RecordBatch:
    assert batch.rowids is not None
    is_held = np.isin(batch.rowids.to_numpy(), held)
    let_through = tuple(
        Misfit(misfit.column, misfit.reason, rows)
        for misfit in batch.misfits
        if (rows := misfit.rows[~is_held[misfit.rows]]).size
    )
    _require_no_misfits(table, batch, let_through)
    return pc.filter(batch.rows, pa.array(~is_held))


def _require_no_misfits(table: CarriedTable, batch: SourceBatch, misfits: tuple[Misfit, ...]) -> None:
    if not misfits:
        return
    misfit = misfits[0]
    row = int(misfit.rows[0])
    # Of the key alone: other columns may hold dates beyond Python's.
    key = shown_key(table.name, {name: batch.rows.column(name)[row].as_py() for name in table.key})
    named = ", ".join(f"{name}={value!r}" for name, value in key.items())
    raise IntegrityError(
        f"{table.name}.{misfit.column} holds a value that PostgreSQL cannot take ({misfit.reason}) in row {named}.",
        hint="Run odyssey preflight for the whole list; nothing was changed.",
        table=table.name,
        column=misfit.column,
        key=key,
    )
