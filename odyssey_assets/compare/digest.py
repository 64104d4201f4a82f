"""One number for the content of a table: the sum of a 64-bit hash of each row, whatever the order of the rows.

Being a sum, it follows a change without reading the rest: take the old rows' part away, add the new rows'.

Belongs here: digests of comparable batches. Does not belong here: PostgreSQL's own digest (``target.digests``).
"""

from collections.abc import Iterator
from functools import cache

import duckdb
import pyarrow as pa

from odyssey_assets.compare.rows import comparable
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted

ALGORITHM = f"duckdb-{duckdb.__version__}"
"""DuckDB does not promise the same hash in its next version, so digests of two versions are never compared."""

_DIGESTED_FROM_BYTES = 16 * 2**20
"""Every call costs a millisecond, as much as hashing 10,000 rows (measured), so batches wait for each other."""


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for the process: opening one takes longer than digesting a small table."""
    return duckdb.connect(":memory:", config={"threads": 1})


class ContentDigest:
    """A digest that grows by batches."""

    def __init__(self) -> None:
        self._total = 0
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a comparable batch (``compare.rows.comparable``)."""
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        if self._waiting_bytes >= _DIGESTED_FROM_BYTES:
            self._digest()

    @property
    def total(self) -> int:
        """The sum over every row added so far."""
        if self._waiting:
            self._digest()
        return self._total

    def _digest(self) -> None:
        self._total += _sum_of_hashes(pa.Table.from_batches(self._waiting))
        self._waiting, self._waiting_bytes = [], 0


class DigestedRows:
    """The rows of one table, in canonical form, that are digested while they pass by; or not, where it is known."""

    def __init__(self, table: CarriedTable, batches: Iterator[pa.RecordBatch], known: int | None = None) -> None:
        self._table = table
        self._batches = batches
        self._total = known

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self._total is not None:
            yield from self._batches
            return
        digest = ContentDigest()
        for batch in self._batches:
            digest.add(comparable(self._table, batch))
            yield batch
        self._total = digest.total

    def digest(self) -> int | None:
        """The digest of all rows; None until the last has passed."""
        return self._total


def _sum_of_hashes(rows: pa.Table) -> int:
    columns = ", ".join(map(quoted, rows.schema.names))
    # A cursor, for a connection must not be used by two threads at once; it finds ``rows`` by its name.
    with _database().cursor() as cursor:
        ((total,),) = cursor.execute(f"SELECT sum(hash({columns})) FROM rows").fetchall()
    return int(total or 0)
