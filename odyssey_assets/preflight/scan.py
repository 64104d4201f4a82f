"""Reading every row of a table once, exactly as the load would, and collecting each value that cannot be carried.

Belongs here: values. Does not belong here: references between rows (``keys``, ``soft_references``).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import Kind
from odyssey_assets.prefetch import prefetched
from odyssey_assets.preflight.objections import Objection, Rowids
from odyssey_assets.source.reader import SourceBatch, read_table
from odyssey_assets.source.survey import TableSurvey
from odyssey_assets.source.values import INTEGER_RANGE, Reason
from odyssey_assets.target.catalog import TargetTable

TOO_LONG_FOR_INDEX = "too_long_for_index"
TOO_LONG_FOR_COLUMN = "too_long_for_column"

BTREE_ENTRY_BYTES = 2704
"""The largest entry of a btree page of 8 kB (BTMaxItemSize). A compressible text might still squeeze in."""
_ENTRY_HEADER_BYTES = 8
_TEXT_HEADER_BYTES = 4
_FIXED_BYTES = 8
_CHARACTER_LIMIT = re.compile(r"character varying\((\d+)\)")
_ALIGNED_BYTES = 8


def scan_table(
    snapshot: Path,
    table: CarriedTable,
    survey: TableSurvey,
    target: TargetTable,
    on_batch: Callable[[str, SourceBatch], None] = lambda table, batch: None,
) -> Iterator[Objection | int]:
    """Yield the rows read so far, batch by batch, and at the end the objections of the table.

    ``on_batch`` is given every batch, with the table's name.
    """
    found: defaultdict[tuple[str, str], list[Rowids]] = defaultdict(list)
    limits = _character_limits(table, target)
    with prefetched(read_table(snapshot, table, survey, with_rowids=True)) as batches:
        for batch in batches:
            assert batch.rowids is not None
            rowids = batch.rowids.to_numpy()
            on_batch(table.name, batch)
            for misfit in batch.misfits:
                found[misfit.column, misfit.reason].append(rowids[misfit.rows])
            for column, rows in _too_long(batch, table, target):
                found[column, TOO_LONG_FOR_INDEX].append(rowids[rows])
            for column, rows in _too_long_for_column(batch, limits):
                found[column, TOO_LONG_FOR_COLUMN].append(rowids[rows])
            yield batch.rows.num_rows
    columns = {column.name: column for column in table.columns}
    for (name, kind), parts in found.items():
        if kind == TOO_LONG_FOR_COLUMN:
            detail = f"longer than the {limits[name]:,} characters that PostgreSQL's column takes"
        else:
            detail = _detail(columns[name], kind, survey)
        yield Objection(table.name, name, str(kind), detail, np.unique(np.concatenate(parts)))


def _too_long(batch: SourceBatch, table: CarriedTable, target: TargetTable) -> Iterator[tuple[str, Rowids]]:
    texts = _texts(table)
    longest = {name: pc.max(pc.binary_length(batch.rows.column(name))).as_py() or 0 for name in _indexed(table, target)}
    for index in target.indexes:
        in_index = [name for name in index.columns if name in texts]
        if not in_index or not set(index.columns) <= set(table.column_names):
            continue
        fixed = _ENTRY_HEADER_BYTES + _FIXED_BYTES * (len(index.columns) - len(in_index))
        if fixed + sum(_padded(longest[name]) for name in in_index) <= BTREE_ENTRY_BYTES:
            continue
        sizes = [_padded_lengths(batch.rows.column(name)) for name in in_index]
        rows = np.flatnonzero(fixed + np.sum(sizes, axis=0) > BTREE_ENTRY_BYTES)
        if rows.size:
            yield max(in_index, key=lambda name: longest[name]), rows


def _character_limits(table: CarriedTable, target: TargetTable) -> dict[str, int]:
    """Characters a text column takes, for those that have a limit."""
    found = {column.name: _CHARACTER_LIMIT.fullmatch(column.type_text) for column in target.columns}
    return {name: int(match[1]) for name, match in found.items() if match and name in _texts(table)}


def _too_long_for_column(batch: SourceBatch, limits: dict[str, int]) -> Iterator[tuple[str, Rowids]]:
    for name, limit in limits.items():
        rows = np.flatnonzero(np.array(pc.fill_null(pc.utf8_length(batch.rows.column(name)), 0)) > limit)
        if rows.size:
            yield name, rows


def _indexed(table: CarriedTable, target: TargetTable) -> set[str]:
    return {name for index in target.indexes for name in index.columns} & _texts(table)


def _texts(table: CarriedTable) -> set[str]:
    return {column.name for column in table.columns if column.kind in (Kind.TEXT, Kind.JSON)}


def _padded(length: int) -> int:
    return (length + _TEXT_HEADER_BYTES + _ALIGNED_BYTES - 1) // _ALIGNED_BYTES * _ALIGNED_BYTES


def _padded_lengths(text: pa.StringArray) -> Rowids:
    """A NULL counts as the map of NULLs that its entry has in exchange."""
    lengths = np.array(pc.fill_null(pc.binary_length(text), 0), dtype=np.int64)
    return np.asarray(
        (lengths + _TEXT_HEADER_BYTES + _ALIGNED_BYTES - 1) // _ALIGNED_BYTES * _ALIGNED_BYTES, dtype=np.int64
    )


def _detail(column: CarriedColumn, kind: str, survey: TableSurvey) -> str:
    match kind:
        case Reason.STORAGE_CLASS:
            stored = " or ".join(survey.columns[column.name].illegal_classes)
            return f"stored as {stored} where {column.kind} is expected"
        case Reason.NOT_UTF8:
            return "not valid UTF-8"
        case Reason.NUL_CHARACTER:
            return "contains a NUL character, which PostgreSQL cannot hold in text"
        case Reason.OUT_OF_RANGE:
            lowest, highest = INTEGER_RANGE[column.target_type]
            return f"outside {column.target_type}, which ends at {lowest} and {highest}"
        case Reason.NOT_BOOLEAN:
            return "neither 0 nor 1 in a boolean column"
        case Reason.NOT_A_DATE:
            return "not a date in any form the application writes"
        case Reason.DATE_OUT_OF_RANGE:
            return "a date before 4714 BC or after 294247, which PostgreSQL cannot hold"
        case Reason.DATE_IN_SECONDS:
            return "an integer date in seconds, where the application writes milliseconds"
        case Reason.UNKNOWN_LABEL:
            return f"not a label of the enum {column.target_type}; allowed are {', '.join(column.labels)}"
        case Reason.NOT_JSON:
            return "not a document that jsonb accepts"
        case Reason.REQUIRED:
            return "NULL in a column that PostgreSQL requires"
        case _:
            return f"too long for an index on it, whose entries end at {BTREE_ENTRY_BYTES:,} bytes"
