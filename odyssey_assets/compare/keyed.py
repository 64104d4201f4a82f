"""Comparing rows whose order differs: pairing them by key in DuckDB, which spills to disk instead of growing.

Belongs here: the join by key and what it finds. Does not belong here: tables in equal order, which never come here.
"""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from odyssey_assets.compare.differences import Difference, DifferenceKind
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind

MEMORY_LIMIT = "200MB"
"""Of DuckDB alone: with the interpreter, Dagster and the drivers the process stays under 600 MB."""

_OCCURRENCE = "#occurrence"


@dataclass(frozen=True)
class KeyedDifferences:
    """Counts over all rows given, and the first differences in full."""

    missing_rows: int = 0
    extra_rows: int = 0
    changed_rows: int = 0
    listed: tuple[Difference, ...] = ()


def compare_by_key(
    table: CarriedTable,
    source: Iterator[pa.RecordBatch],
    target: Iterator[pa.RecordBatch],
    scratch: Path,
    *,
    listed: int,
    keep: Path | None = None,
) -> KeyedDifferences:
    """Pair the rows of two streams of comparable batches by the table's key.

    Rows that share a key are told apart by their number of occurrence, so duplicates count as missing or extra.
    """
    left, right = _started(source), _started(target)
    if left is None and right is None:
        return KeyedDifferences()
    schema = next(each[0] for each in (left, right) if each is not None)
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = tempfile.mkdtemp(prefix="compare-", dir=scratch)
    try:
        with duckdb.connect(
            ":memory:", config={"memory_limit": MEMORY_LIMIT, "temp_directory": folder, "threads": 2}
        ) as database:
            for name, side in (("source", left), ("target", right)):
                _load(database, name, schema, side)
            _number_occurrences(database, table)
            database.execute(_differences_sql(table))
            if keep is not None:
                _keep(database, keep)
            return _read_differences(database, table, listed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


Started = tuple[pa.Schema, Iterator[pa.RecordBatch]]


def _started(batches: Iterator[pa.RecordBatch]) -> Started | None:
    first = next(batches, None)
    return None if first is None else (first.schema, chain([first], batches))


def _load(database: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, side: Started | None) -> None:
    reader = pa.RecordBatchReader.from_batches(schema, side[1] if side else iter(()))
    database.register("stream", reader)
    database.execute(f"CREATE TABLE {name} AS SELECT * FROM stream")
    database.unregister("stream")


def _number_occurrences(database: duckdb.DuckDBPyConnection, table: CarriedTable) -> None:
    """Number rows of one key by content, so that equal duplicates of both sides meet; 1 where keys are unique."""
    key = ", ".join(map(quoted, table.key))
    content = ", ".join(map(quoted, table.column_names))
    for name in ("source", "target"):
        surplus = database.execute(
            f"SELECT count(*) - (SELECT count(*) FROM (SELECT DISTINCT {key} FROM {name})) FROM {name}"
        ).fetchone()
        number = f"row_number() OVER (PARTITION BY {key} ORDER BY {content})" if surplus and surplus[0] else "1"
        database.execute(f"CREATE VIEW numbered_{name} AS SELECT *, {number} AS {quoted(_OCCURRENCE)} FROM {name}")


def _differences_sql(table: CarriedTable) -> str:
    on = " AND ".join(f"s.{quoted(name)} IS NOT DISTINCT FROM t.{quoted(name)}" for name in (*table.key, _OCCURRENCE))
    differs = " OR ".join(f"s.{quoted(name)} IS DISTINCT FROM t.{quoted(name)}" for name in table.column_names)
    columns = ", ".join(
        f"{side}.{quoted(name)} AS {quoted(f'{side}:{name}')}" for side in "st" for name in table.column_names
    )
    return f"""
        CREATE TABLE difference AS
        SELECT CASE WHEN t.{quoted(_OCCURRENCE)} IS NULL THEN '{DifferenceKind.MISSING}'
                    WHEN s.{quoted(_OCCURRENCE)} IS NULL THEN '{DifferenceKind.EXTRA}'
                    ELSE '{DifferenceKind.CHANGED}' END AS kind,
               {columns}
        FROM numbered_source s
        FULL OUTER JOIN numbered_target t ON {on}
        WHERE s.{quoted(_OCCURRENCE)} IS NULL OR t.{quoted(_OCCURRENCE)} IS NULL OR {differs}
    """


def _keep(database: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Every difference as Parquet: its kind, and each column of the source as ``s:`` and of the target as ``t:``."""
    database.sql("SELECT * FROM difference").write_parquet(str(file))


def _read_differences(database: duckdb.DuckDBPyConnection, table: CarriedTable, listed: int) -> KeyedDifferences:
    counts = dict(database.execute("SELECT kind, count(*) FROM difference GROUP BY kind").fetchall())
    order = ", ".join(f"coalesce({quoted(f's:{name}')}, {quoted(f't:{name}')})" for name in table.key)
    moments = [f"{side}:{column.name}" for side in "st" for column in table.columns if column.kind is Kind.MOMENT]
    as_numbers = ", ".join(f"epoch_us({quoted(name)}) AS {quoted(name)}" for name in moments)
    shown = f"* REPLACE ({as_numbers})" if moments else "*"
    first = database.sql(f"SELECT {shown} FROM difference ORDER BY {order} LIMIT {listed}")
    rows: list[dict[str, object]] = first.to_arrow_table().to_pylist()
    found = chain.from_iterable(_differences_of_row(table, row) for row in rows)
    return KeyedDifferences(
        missing_rows=counts.get(DifferenceKind.MISSING, 0),
        extra_rows=counts.get(DifferenceKind.EXTRA, 0),
        changed_rows=counts.get(DifferenceKind.CHANGED, 0),
        listed=tuple(difference for difference, _ in zip(found, range(listed), strict=False)),
    )


def _differences_of_row(table: CarriedTable, row: dict[str, object]) -> Iterator[Difference]:
    kind = DifferenceKind(str(row["kind"]))
    side = "t" if kind is DifferenceKind.EXTRA else "s"
    shown = {column.name: column.kind for column in table.columns}
    key = {name: _as_value(shown[name], row[f"{side}:{name}"]) for name in table.key}
    if kind is not DifferenceKind.CHANGED:
        yield Difference(kind, key)
        return
    for name, column_kind in shown.items():
        source, target = row[f"s:{name}"], row[f"t:{name}"]
        if source != target:
            yield Difference(kind, key, name, _as_value(column_kind, source), _as_value(column_kind, target))


def _as_value(kind: Kind, value: object) -> object:
    if kind is Kind.DOUBLE and isinstance(value, int):
        return float(np.int64(value).view(np.float64))
    if kind is Kind.MOMENT and isinstance(value, int):
        # Python's dates end where PostgreSQL's go on, so the ones beyond are shown as text.
        moment = np.datetime64(value, "us")
        return moment.item() if isinstance(moment.item(), datetime) else str(moment)
    return value
