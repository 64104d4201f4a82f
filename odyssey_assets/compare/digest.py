"""One number for the content of a table: the sum of a 64-bit hash of each row, whatever the order of the rows.

Being a sum, it follows a change without reading the rest: take the old rows' part away, add the new rows'.

Belongs here: digests of canonical batches. Does not belong here: PostgreSQL's own digest (``target.digests``).
"""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from odyssey_assets.model.identifiers import quoted

ALGORITHM = f"duckdb-{duckdb.__version__}"
"""DuckDB does not promise the same hash in its next version, so digests of two versions are never compared."""


def rows_digest(batches: Iterable[pa.RecordBatch]) -> int:
    """The digest of comparable batches (``compare.rows.comparable``)."""
    with duckdb.connect(":memory:", config={"threads": 1}) as database:
        return sum(batch_digest(database, batch) for batch in batches)


def batch_digest(database: duckdb.DuckDBPyConnection, batch: pa.RecordBatch) -> int:
    """The part one batch adds."""
    columns = ", ".join(map(quoted, batch.schema.names))
    relation = database.from_arrow(pa.Table.from_batches([batch]))
    ((total,),) = relation.aggregate(f"sum(hash({columns}))").fetchall()
    return int(total or 0)
