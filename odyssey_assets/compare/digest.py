"""One number for the content of a table: the sum of a 64-bit hash of each row, whatever the order of the rows.

Being a sum, it follows a change without reading the rest: take the old rows' part away, add the new rows'.

Belongs here: digests of comparable batches. Does not belong here: PostgreSQL's own digest (``target.digests``).
"""

from functools import cache

import duckdb
import pyarrow as pa

from odyssey_assets.model.identifiers import quoted

ALGORITHM = f"duckdb-{duckdb.__version__}"
"""DuckDB does not promise the same hash in its next version, so digests of two versions are never compared."""


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for the process: opening one takes longer than digesting a small table."""
    return duckdb.connect(":memory:", config={"threads": 1})


class ContentDigest:
    """A digest that grows by batches."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a comparable batch (``compare.rows.comparable``)."""
        columns = ", ".join(map(quoted, batch.schema.names))
        # A cursor, for a connection must not be used by two threads at once.
        with _database().cursor() as cursor:
            relation = cursor.from_arrow(pa.Table.from_batches([batch]))
            ((total,),) = relation.aggregate(f"sum(hash({columns}))").fetchall()
        self.total += int(total or 0)
