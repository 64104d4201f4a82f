"""What must change in one table of the new file: rows that go, rows that change, rows that come, by rowid.

The comparison names rows by key; the base is asked once more for the rowids of those keys, so that no index is needed
and rows with equal keys are told apart.

Belongs here: comparing one table, and placing its differences. Does not belong here: writing them (``rewrite``).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from odyssey_assets.carry_back.losses import target_rows
from odyssey_assets.compare.differences import Comparison, DifferenceKind
from odyssey_assets.compare.keyed import MEMORY_LIMIT
from odyssey_assets.compare.rows import comparable, compare_rows
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import CANONICAL_TYPE
from odyssey_assets.prefetch import prefetched
from odyssey_assets.preflight.objections import Rowids
from odyssey_assets.progress import OnProgress, Phase, Progress, counted
from odyssey_assets.source.reader import read_table
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.sync.rows import rows_not_held
from odyssey_assets.target.table_locks import LockedTarget

BATCH_ROWS = 4_096
"""Rows written at a time: with 1 MB of text in some of them still few enough to hold."""

ROWID, WRITTEN, DIFFERS = "#rowid", "w:", "d:"
"""Names in batches of changes: the place, the value of a column to write, and whether it differs from the base's."""
_ROWID, _NUMBER, _OCCURRENCE = quoted(ROWID), quoted("#number"), quoted("#occurrence")

_COUNTS_SQL = "SELECT (SELECT count(*) FROM wanted), (SELECT count(*) FROM placed)"


@dataclass(frozen=True)
class TableChange:
    """One table whose two sides were compared; ``differences`` is a file with every difference, None if there are none.

    ``file`` is the SQLite file that was compared.
    """

    file: Path
    table: CarriedTable
    survey: TableSurvey
    held: Rowids | None
    comparison: Comparison
    differences: Path | None


def compare_table(
    file: Path,
    table: CarriedTable,
    survey: TableSurvey,
    held: Rowids | None,
    target: LockedTarget,
    *,
    allowed: frozenset[str],
    scratch: Path,
    phase: Phase,
    on_progress: OnProgress,
) -> TableChange:
    """Compare every cell of one table, held rows left out, and keep the differences in ``scratch``."""
    on_progress(Progress(phase, table.name, total_rows=survey.rows))
    keep = scratch / f"{phase}-{table.name}.parquet"
    with prefetched(rows_not_held(file, table, survey, held)) as ahead:
        comparison = compare_rows(
            table,
            counted(ahead, phase, table.name, on_progress),
            target_rows(target, table, allowed),
            scratch,
            keep=keep,
        )
    return TableChange(file, table, survey, held, comparison, keep if comparison.different_rows else None)


class PlacedChanges:
    """The differences of one table with the rowids of the base's rows, drawn in bounded batches."""

    def __init__(self, database: duckdb.DuckDBPyConnection, change: TableChange) -> None:
        self._database = database
        self._change = change

    def removed_rowids(self) -> Iterator[list[int]]:
        sql = f"SELECT place.{_ROWID} FROM placed place JOIN difference USING ({_NUMBER}) WHERE kind = ? ORDER BY 1"
        for batch in self._batches(sql, DifferenceKind.MISSING):
            yield batch.column(0).to_pylist()

    def changed(self) -> Iterator[pa.RecordBatch]:
        """``#rowid``, then of each column ``w:``, the value to write, and ``d:``, whether it differs."""
        columns = ", ".join(
            f"{self._written_sql(name)}, d.{quoted(f's:{name}')} IS DISTINCT FROM d.{quoted(f't:{name}')} "
            f"AS {quoted(DIFFERS + name)}"
            for name in self._change.table.column_names
        )
        sql = (
            f"SELECT place.{_ROWID}, {columns} FROM placed place JOIN difference d USING ({_NUMBER}) "
            f"{self._documents_sql()} WHERE d.kind = ? ORDER BY 1"
        )
        return self._batches(sql, DifferenceKind.CHANGED)

    def added(self) -> Iterator[pa.RecordBatch]:
        """Of each column ``w:``, the value to write."""
        columns = ", ".join(map(self._written_sql, self._change.table.column_names))
        order = ", ".join(f"d.{quoted(f't:{name}')}" for name in self._change.table.key)
        sql = f"SELECT {columns} FROM difference d {self._documents_sql()} WHERE d.kind = ? ORDER BY {order}"
        return self._batches(sql, DifferenceKind.EXTRA)

    def _batches(self, sql: str, kind: DifferenceKind) -> Iterator[pa.RecordBatch]:
        reader: pa.RecordBatchReader = self._database.sql(sql, params=[kind.value]).to_arrow_reader(BATCH_ROWS)
        yield from reader

    def _written_sql(self, name: str) -> str:
        side = f"document.{quoted(name)}" if name in _documents(self._change.table) else f"d.{quoted(f't:{name}')}"
        return f"{side} AS {quoted(WRITTEN + name)}"

    def _documents_sql(self) -> str:
        if not _documents(self._change.table):
            return ""
        same = " AND ".join(
            f"document.{quoted(f'k:{name}')} IS NOT DISTINCT FROM d.{quoted(f't:{name}')}"
            for name in self._change.table.key
        )
        return f"LEFT JOIN document ON {same}"


@contextmanager
def placed_changes(
    change: TableChange, target: LockedTarget, allowed: frozenset[str], scratch: Path
) -> Iterator[PlacedChanges]:
    """Place the differences of one table that has some. Raises IntegrityError where a row is not to be found again."""
    table = change.table
    with (
        tempfile.TemporaryDirectory(prefix="place-", dir=scratch) as folder,
        duckdb.connect(
            ":memory:", config={"memory_limit": MEMORY_LIMIT, "temp_directory": folder, "threads": 2}
        ) as database,
    ):
        database.execute(
            f"CREATE TABLE difference AS SELECT row_number() OVER () AS {_NUMBER}, * FROM read_parquet(?)",
            [str(change.differences)],
        )
        _place(database, change)
        if _documents(table):
            _read_documents(database, table, target, allowed)
        yield PlacedChanges(database, change)


def _place(database: duckdb.DuckDBPyConnection, change: TableChange) -> None:
    key = change.table.key
    of_difference = ", ".join(quoted(f"s:{name}") for name in key)
    of_base = ", ".join(map(quoted, key))
    database.execute(
        f"CREATE TABLE wanted AS SELECT {_NUMBER}, {of_difference}, "
        f"row_number() OVER (PARTITION BY {of_difference}) AS {_OCCURRENCE} "
        f"FROM difference WHERE kind <> '{DifferenceKind.EXTRA}'"
    )
    same = " AND ".join(f"w.{quoted(f's:{name}')} IS NOT DISTINCT FROM b.{quoted(name)}" for name in key)
    _draw(
        database,
        _keys_with_rowids(change),
        f"CREATE TABLE base AS SELECT b.* FROM stream b SEMI JOIN wanted w ON {same}",
    )
    database.execute(
        f"CREATE TABLE placed AS SELECT w.{_NUMBER}, b.{_ROWID} FROM wanted w JOIN (SELECT *, "
        f"row_number() OVER (PARTITION BY {of_base} ORDER BY {_ROWID}) AS {_OCCURRENCE} FROM base) b "
        f"ON {same} AND w.{_OCCURRENCE} = b.{_OCCURRENCE}"
    )
    ((wanted, placed),) = database.execute(_COUNTS_SQL).fetchall()
    if wanted != placed:
        raise IntegrityError(
            f"Rows of {change.table.name} that differ were not found again in the SQLite file.",
            hint="This is a fault of this project; report it. No new file was written.",
            table=change.table.name,
        )


def _keys_with_rowids(change: TableChange) -> Iterator[pa.RecordBatch]:
    keys = _narrowed(change.table, frozenset(change.table.key))
    yield comparable(keys, _no_rows(keys)).append_column(ROWID, pa.array([], pa.int64()))
    for batch in read_table(change.file, keys, change.survey, with_rowids=True):
        assert batch.rowids is not None
        rows = comparable(keys, batch.rows).append_column(ROWID, batch.rowids)
        if change.held is not None:
            rows = pc.filter(rows, pa.array(~np.isin(batch.rowids.to_numpy(), change.held)))
        yield rows


def _read_documents(
    database: duckdb.DuckDBPyConnection, table: CarriedTable, target: LockedTarget, allowed: frozenset[str]
) -> None:
    """The documents of rows to be written once more, as PostgreSQL spells them: the comparison has another spelling."""
    documents = _documents(table)
    keys = _narrowed(table, frozenset(table.key))
    narrow = _narrowed(table, frozenset(table.key) | documents)

    def rows() -> Iterator[pa.RecordBatch]:
        for batch in chain([_no_rows(narrow)], target_rows(target, narrow, allowed)):
            of_key = comparable(keys, batch.select(list(keys.column_names)))
            arrays = [*of_key.columns, *(batch.column(name) for name in sorted(documents))]
            names = [*(f"k:{name}" for name in keys.column_names), *sorted(documents)]
            yield pa.RecordBatch.from_arrays(arrays, names=names)

    same = " AND ".join(f"d.{quoted(f't:{name}')} IS NOT DISTINCT FROM b.{quoted(f'k:{name}')}" for name in table.key)
    _draw(
        database,
        rows(),
        f"CREATE TABLE document AS SELECT b.* FROM stream b SEMI JOIN "
        f"(SELECT * FROM difference WHERE kind <> '{DifferenceKind.MISSING}') d ON {same}",
    )


def _draw(database: duckdb.DuckDBPyConnection, batches: Iterator[pa.RecordBatch], sql: str) -> None:
    """Run a statement over ``stream``, which is these batches, the first one without rows."""
    first = next(batches)
    reader = pa.RecordBatchReader.from_batches(first.schema, chain([first], batches))
    database.register("stream", reader)
    database.execute(sql)
    database.unregister("stream")


def _no_rows(table: CarriedTable) -> pa.RecordBatch:
    """So that a stream has a schema even where it has no rows."""
    schema = pa.schema([(column.name, CANONICAL_TYPE[column.kind]) for column in table.columns])
    return pa.RecordBatch.from_pylist([], schema=schema)


def _documents(table: CarriedTable) -> frozenset[str]:
    """Columns whose text the comparison does not keep, and that a key leads to."""
    return frozenset(column.name for column in table.columns if column.is_json_document and table.is_key_unique)


def _narrowed(table: CarriedTable, names: frozenset[str]) -> CarriedTable:
    return replace(table, columns=tuple(column for column in table.columns if column.name in names))
