"""Planting faults in the engine itself: it writes something wrong, or its proof does not look at what it should.

Belongs here: taking the place of one of the engine's functions for one run. Does not belong here: which faults of rows.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from odyssey_assets.calibration.faults import NULLS, ROW_COUNT, ROWS_EQUAL, Checks, RowChange, RowFault
from odyssey_assets.calibration.target_faults import Planted, new_values
from odyssey_assets.compare.checks import CheckName
from odyssey_assets.compare.differences import Comparison
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.sync import load, prove, verify
from odyssey_assets.sync import run as whole_run
from odyssey_assets.sync.outcome import TableOutcome


@contextmanager
def in_place_of(module: ModuleType, name: str, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Let a module call another function under the name of one of its own, for as long as the block takes."""
    real = getattr(module, name)
    setattr(module, name, wrap(real))
    try:
        yield
    finally:
        setattr(module, name, real)


@contextmanager
def written_wrongly(fault: RowFault) -> Iterator[list[Planted]]:
    """The initial load writes the fault; the list says where, once it was written."""
    planted: list[Planted] = []

    def wrap(real: Callable[..., int]) -> Callable[..., int]:
        def copy_rows(connection: Any, schema: str, table: CarriedTable, batches: Iterator[pa.RecordBatch]) -> int:
            if table.name == fault.table:
                batches = iter(_spoiled(list(batches), fault, planted))
            return real(connection, schema, table, batches)

        return copy_rows

    with in_place_of(load, "copy_rows", wrap):
        yield planted


def _spoiled(batches: list[pa.RecordBatch], fault: RowFault, planted: list[Planted]) -> list[pa.RecordBatch]:
    rows = pa.Table.from_batches(batches)
    keys = rows.column("id").to_pylist()
    if fault.what is RowChange.MISSING:
        planted.append(Planted((keys[0],), None))
        rows = rows.slice(1)
    elif fault.what is RowChange.EXTRA:
        first = rows.slice(0, 1)
        key = f"{keys[0]}-calibration"
        extra = first.set_column(first.schema.get_field_index("id"), "id", pa.array([key], first.column("id").type))
        planted.append(Planted((key,), None))
        rows = pa.concat_tables([rows, extra])
    else:
        column = str(fault.column)
        values = rows.column(column)
        changed = new_values(fault, dict(zip(keys, values.to_pylist(), strict=True)))
        is_changed = pc.is_in(rows.column("id"), value_set=pa.array(list(changed), pa.string()))
        wanted = pa.array([changed.get(key) for key in keys], values.type)
        spoiled = pc.if_else(is_changed, wanted, values)
        planted.append(Planted(tuple(changed), column))
        rows = rows.set_column(rows.schema.get_field_index(column), column, spoiled)
    spoiled_batches: list[pa.RecordBatch] = rows.combine_chunks().to_batches()
    return spoiled_batches


@dataclass(frozen=True)
class BlindFault:
    """A proof that does not look. ``expected`` are the failing checks; none means that the run must be refused."""

    name: str
    table: str
    module: ModuleType
    function: str
    wrap: Callable[[Any], Any]
    expected: Checks


_BLIND_TABLE = "Vote"


def _comparing_nothing(real: Callable[..., Comparison]) -> Callable[..., Comparison]:
    def compare_rows(table: CarriedTable, source: Any, target: Any, scratch: Any, **options: Any) -> Comparison:
        if table.name == _BLIND_TABLE:
            source, target = iter(()), iter(())
        return real(table, source, target, scratch, **options)

    return compare_rows


def _leaving_a_column_out(real: Callable[..., Comparison]) -> Callable[..., Comparison]:
    def compare_rows(table: CarriedTable, *arguments: Any, **options: Any) -> Comparison:
        found = real(table, *arguments, **options)
        return replace(found, columns=found.columns[:-1]) if table.name == _BLIND_TABLE else found

    return compare_rows


def _forgetting_a_table(real: Callable[..., dict[str, TableOutcome]]) -> Callable[..., dict[str, TableOutcome]]:
    def verify_tables(*arguments: Any) -> dict[str, TableOutcome]:
        return {name: outcome for name, outcome in real(*arguments).items() if name != _BLIND_TABLE}

    return verify_tables


def _forgetting_a_check(real: Callable[..., dict[str, TableOutcome]]) -> Callable[..., dict[str, TableOutcome]]:
    def check_tampering(*arguments: Any) -> dict[str, TableOutcome]:
        outcomes = real(*arguments)
        told = tuple(each for each in outcomes[_BLIND_TABLE].checks if each.name is not CheckName.NULLS)
        return outcomes | {_BLIND_TABLE: replace(outcomes[_BLIND_TABLE], checks=told)}

    return check_tampering


BLIND_FAULTS: tuple[BlindFault, ...] = (
    BlindFault("a check that compared zero rows", _BLIND_TABLE, prove, "compare_rows", _comparing_nothing,
               frozenset({ROW_COUNT, NULLS, ROWS_EQUAL})),
    BlindFault("a column not compared", _BLIND_TABLE, prove, "compare_rows", _leaving_a_column_out,
               frozenset({ROWS_EQUAL})),
    BlindFault("a table not compared at all", _BLIND_TABLE, whole_run, "verify_tables", _forgetting_a_table,
               frozenset()),
    BlindFault("a check not made at all", _BLIND_TABLE, verify, "check_tampering", _forgetting_a_check, frozenset()),
)  # fmt: skip
