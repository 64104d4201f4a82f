"""Comparing every cell of every row of one table, as two streams of canonical record batches.

Belongs here: the walk in step, which settles a table whose sides come in the same order, exactly and in constant
memory. Does not belong here: pairing rows by key once the order differs (``keyed``), or reading either side.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from odyssey_assets.compare.differences import Comparison
from odyssey_assets.compare.keyed import compare_by_key
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.json_documents import canonical_document
from odyssey_assets.model.kinds import Kind

LISTED_DIFFERENCES = 20
"""Differences named in full; more are counted."""


def compare_rows(
    table: CarriedTable,
    source: Iterator[pa.RecordBatch],
    target: Iterator[pa.RecordBatch],
    scratch: Path,
    *,
    listed: int = LISTED_DIFFERENCES,
    keep: Path | None = None,
) -> Comparison:
    """Compare two sides of ``table`` whatever their order. ``scratch`` takes what does not fit in memory.

    ``keep`` is a file to be written with every difference, both sides of it, where there is any.
    """
    left, right = _Side(table, source), _Side(table, target)
    while (pair := _next_pair(left, right)) is not None:
        if not pair[0].equals(pair[1]):
            left.push_back(pair[0])
            right.push_back(pair[1])
            break
    found = compare_by_key(table, left.rest(), right.rest(), scratch, listed=listed, keep=keep)
    return Comparison(
        table=table.name,
        columns=table.column_names,
        source_rows=left.rows,
        target_rows=right.rows,
        source_nulls=dict(left.nulls),
        target_nulls=dict(right.nulls),
        missing_rows=found.missing_rows,
        extra_rows=found.extra_rows,
        changed_rows=found.changed_rows,
        listed=found.listed,
    )


@dataclass
class _Side:
    """One stream, counted as it is drawn, with the rows that were drawn but not yet settled."""

    table: CarriedTable
    batches: Iterator[pa.RecordBatch]
    pending: pa.RecordBatch | None = None
    rows: int = 0
    nulls: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nulls = dict.fromkeys(self.table.column_names, 0)

    def draw(self) -> bool:
        """Make sure that something is pending; False at the end of the stream."""
        while self.pending is None or self.pending.num_rows == 0:
            batch = next(self.batches, None)
            if batch is None:
                return False
            self.rows += batch.num_rows
            for name, array in zip(self.table.column_names, batch.columns, strict=True):
                self.nulls[name] += array.null_count
            self.pending = comparable(self.table, batch)
        return True

    def take(self, rows: int) -> pa.RecordBatch:
        assert self.pending is not None
        taken, self.pending = self.pending.slice(0, rows), self.pending.slice(rows)
        return taken

    def push_back(self, batch: pa.RecordBatch) -> None:
        assert self.pending is not None
        combined = pa.Table.from_batches([batch, self.pending]).combine_chunks()
        self.pending = combined.to_batches()[0]

    def rest(self) -> Iterator[pa.RecordBatch]:
        while self.draw():
            assert self.pending is not None
            yield self.take(self.pending.num_rows)


def _next_pair(left: _Side, right: _Side) -> tuple[pa.RecordBatch, pa.RecordBatch] | None:
    """Equally many rows of both sides, or None when one side has ended."""
    if not (left.draw() and right.draw()):
        return None
    assert left.pending is not None
    assert right.pending is not None
    rows = min(left.pending.num_rows, right.pending.num_rows)
    return left.take(rows), right.take(rows)


def comparable(table: CarriedTable, batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch in a form in which plain equality is the right equality.

    Floats become their bits, so that -0.0 is not 0.0; documents of a ``jsonb`` column become their one spelling.
    """
    arrays = []
    for column, array in zip(table.columns, batch.columns, strict=True):
        if column.kind is Kind.DOUBLE:
            arrays.append(array.view(pa.int64()))
        elif column.is_json_document:
            arrays.append(_canonical_documents(array))
        else:
            arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=list(table.column_names))


def _canonical_documents(text: pa.StringArray) -> pa.StringArray:
    distinct = text.dictionary_encode()
    spelled = pa.array(
        [None if each is None else canonical_document(each) or each for each in distinct.dictionary.to_pylist()],
        pa.string(),
    )
    return spelled.take(distinct.indices)
