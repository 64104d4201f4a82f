"""Comparing rows whose order differs: pairing them by key.

Few rows are paired in memory; more, and rows whose keys repeat, in DuckDB, which spills to disk instead of growing.

Belongs here: the join by key and what it finds. Does not belong here: tables in equal order, which never come here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from odyssey_assets.compare.differences import Difference, DifferenceKind
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind
from odyssey_assets.scratch import scratch_folder

MEMORY_LIMIT = "200MB"
"""Of DuckDB alone: with the interpreter, Dagster and the drivers the process stays under 600 MB."""

IN_MEMORY_ROWS = 20_000
"""Of each side: up to here pairing in memory takes less than the 50 to 80 ms that a DuckDB costs (measured)."""

IN_MEMORY_BYTES = 32 * 2**20
"""Of each side, so that wide rows go to DuckDB, which can spill, however few they are."""

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
    left, right = _draw(source), _draw(target)
    if not left.batches and not right.batches:
        return KeyedDifferences()
    schema = (left.batches or right.batches)[0].schema
    if left.is_whole and right.is_whole:
        found = _pair_in_memory(table, left.as_table(schema), right.as_table(schema))
        if found is not None:
            if keep is not None:
                pq.write_table(found, keep)
            return _summary(table, found, listed)
    with (
        scratch_folder(scratch, "compare") as folder,
        duckdb.connect(
            ":memory:", config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(folder), "threads": 2}
        ) as database,
    ):
        for name, side in (("source", left), ("target", right)):
            _load(database, name, schema, side.whole_stream())
        _number_occurrences(database, table)
        database.execute(_differences_sql(table))
        if keep is not None:
            _keep(database, keep)
        return _read_differences(database, table, listed)


@dataclass(frozen=True)
class _Drawn:
    """One side, drawn as far as it may stay in memory; ``is_whole`` when nothing is left in ``rest``."""

    batches: list[pa.RecordBatch]
    rest: Iterator[pa.RecordBatch]
    is_whole: bool

    def as_table(self, schema: pa.Schema) -> pa.Table:
        return pa.Table.from_batches(self.batches, schema)

    def whole_stream(self) -> Iterator[pa.RecordBatch]:
        return chain(self.batches, self.rest)


def _draw(stream: Iterator[pa.RecordBatch]) -> _Drawn:
    batches: list[pa.RecordBatch] = []
    rows = size_bytes = 0
    for batch in stream:
        batches.append(batch)
        rows += batch.num_rows
        size_bytes += batch.nbytes
        if rows > IN_MEMORY_ROWS or size_bytes > IN_MEMORY_BYTES:
            return _Drawn(batches, stream, is_whole=False)
    return _Drawn(batches, stream, is_whole=True)


def _pair_in_memory(table: CarriedTable, source: pa.Table, target: pa.Table) -> pa.Table | None:
    """Every difference as ``_keep`` keeps it; None where a side has a key twice."""
    at_source, at_target = _places_by_key(table, source), _places_by_key(table, target)
    if len(at_source) < source.num_rows or len(at_target) < target.num_rows:
        return None
    shared = [key for key in at_source if key in at_target]
    here, there = pa.array([at_source[key] for key in shared]), pa.array([at_target[key] for key in shared])
    is_changed = _any_cell_differs(source.take(here), target.take(there)) if shared else pa.array([], pa.bool_())
    changed = (here.filter(is_changed).to_pylist(), there.filter(is_changed).to_pylist())
    missing = [place for key, place in at_source.items() if key not in at_target]
    extra = [place for key, place in at_target.items() if key not in at_source]
    kinds = [DifferenceKind.MISSING.value] * len(missing) + [DifferenceKind.EXTRA.value] * len(extra)
    kinds += [DifferenceKind.CHANGED.value] * len(changed[0])
    from_source = pa.array([*missing, *[None] * len(extra), *changed[0]], pa.int64())
    from_target = pa.array([*[None] * len(missing), *extra, *changed[1]], pa.int64())
    return pa.table(
        {"kind": pa.array(kinds, pa.string())}
        | {f"s:{name}": source.column(name).take(from_source) for name in table.column_names}
        | {f"t:{name}": target.column(name).take(from_target) for name in table.column_names}
    )


def _places_by_key(table: CarriedTable, side: pa.Table) -> dict[tuple[object, ...], int]:
    columns = [_as_plain(side.column(name)).to_pylist() for name in table.key]
    return {key: place for place, key in enumerate(zip(*columns, strict=True))}


def _any_cell_differs(source: pa.Table, target: pa.Table) -> pa.ChunkedArray:
    """For each row whether any cell differs; NULL equals NULL alone."""
    differs: pa.ChunkedArray | None = None
    for one, other in zip(source.columns, target.columns, strict=True):
        is_other = pc.or_(
            pc.xor(pc.is_null(one), pc.is_null(other)), pc.fill_null(pc.not_equal(one, other), fill_value=False)
        )
        differs = is_other if differs is None else pc.or_(differs, is_other)
    return differs


def _as_plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Moments as microseconds, for Python's dates end where PostgreSQL's go on."""
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


def _summary(table: CarriedTable, found: pa.Table, listed: int) -> KeyedDifferences:
    keys = {name: pc.coalesce(found.column(f"s:{name}"), found.column(f"t:{name}")) for name in table.key}
    order = pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])
    first = found.take(order[:listed])
    shown = pa.table([_as_plain(column) for column in first.columns], names=first.column_names)
    counts = {each["values"]: each["counts"] for each in pc.value_counts(found.column("kind")).to_pylist()}
    return _keyed_differences(table, counts, shown, listed)


def _load(database: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    reader = pa.RecordBatchReader.from_batches(schema, batches)
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
    return _keyed_differences(table, counts, first.to_arrow_table(), listed)


def _keyed_differences(table: CarriedTable, counts: dict[str, int], first: pa.Table, listed: int) -> KeyedDifferences:
    rows: list[dict[str, object]] = first.to_pylist()
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
