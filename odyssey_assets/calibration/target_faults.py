"""Planting faults in PostgreSQL, as somebody else would who changes it behind this project's back.

Belongs here: plain SQL through psycopg2, which shares nothing with the engine. Does not belong here: which faults.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2 import extensions, extras

from odyssey_assets.calibration.faults import RowChange, RowFault, SchemaFault
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.identifiers import quoted

_ROWS_LOOKED_AT = 5_000
"""Rows among which one must fit a fault; the clean pair is made so that one does."""

_NEW_VILLAGE = {"id": "calibration", "name": "Nowhere", "createdAt": datetime(2025, 1, 1),
                "updatedAt": datetime(2025, 1, 1)}  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """Where a fault of rows is: keys of the rows, and the column, None where whole rows are concerned."""

    keys: tuple[str, ...]
    column: str | None


def plant_in_target(uri: str, fault: RowFault | SchemaFault) -> Planted | None:
    """Plant and commit; None where no row is concerned. Raises IntegrityError where no row can take the fault."""
    with closing(psycopg2.connect(uri)) as connection, connection, connection.cursor() as cursor:
        if isinstance(fault, RowFault):
            return _plant_rows(cursor, fault)
        for statement in fault.statements:
            cursor.execute(statement)
        planted = None if fault.then is None else _plant_rows(cursor, fault.then)
        for statement in fault.after:
            cursor.execute(statement)
        return planted


def _plant_rows(cursor: extensions.cursor, fault: RowFault) -> Planted:
    if fault.what is RowChange.EXTRA:
        return _insert(cursor, fault)
    if fault.what is RowChange.MISSING:
        cursor.execute(f"SELECT {quoted('id')} FROM {quoted(fault.table)} ORDER BY {quoted('id')} LIMIT 1")
        ((key,),) = cursor.fetchall()
        cursor.execute(f"DELETE FROM {quoted(fault.table)} WHERE {quoted('id')} = %s", (key,))
        return Planted((key,), None)
    assert fault.column is not None
    changed = new_values(fault, _values(cursor, fault))
    extras.execute_batch(
        cursor,
        f"UPDATE {quoted(fault.table)} SET {quoted(fault.column)} = %s WHERE {quoted('id')} = %s",
        [(_exact(value), key) for key, value in changed.items()],
    )
    return Planted(tuple(changed), fault.column)


def _exact(value: Any) -> Any:
    """A float as text, for a bare -0.0 is a number without a sign to PostgreSQL."""
    return repr(value) if isinstance(value, float) else value


def new_values(fault: RowFault, values: Mapping[str, Any]) -> dict[str, Any]:
    """The cells a fault makes of a column, by key. Raises IntegrityError where no value can take the fault."""
    fitting = {key: value for key, value in values.items() if fault.fits(value)}
    if fault.what is RowChange.SWAP:
        first = next(iter(fitting), None)
        other = next((key for key in fitting if fitting[key] != fitting[str(first)]), None)
        if first is not None and other is not None:
            return {first: fitting[other], other: fitting[first]}
    elif fault.what is RowChange.EVERY_CELL:
        return {key: fault.change(value) for key, value in fitting.items()}
    elif fitting:
        key = next(iter(fitting))
        return {key: fault.change(fitting[key])}
    raise IntegrityError(f"No value of {fault.table}.{fault.column} can take the fault: {fault.name}.")


def _values(cursor: extensions.cursor, fault: RowFault) -> dict[str, Any]:
    limit = "" if fault.what is RowChange.EVERY_CELL else f"LIMIT {_ROWS_LOOKED_AT}"
    # In the order of the heap, which is the source's: the rows made ready for a fault come first.
    columns = f"{quoted('id')}, {quoted(str(fault.column))}"
    cursor.execute(f"SELECT {columns} FROM {quoted(fault.table)} ORDER BY ctid {limit}")
    return dict(cursor.fetchall())


def _insert(cursor: extensions.cursor, fault: RowFault) -> Planted:
    columns, marks = ", ".join(map(quoted, _NEW_VILLAGE)), ", ".join(["%s"] * len(_NEW_VILLAGE))
    cursor.execute(f"INSERT INTO {quoted(fault.table)} ({columns}) VALUES ({marks})", tuple(_NEW_VILLAGE.values()))
    return Planted((str(_NEW_VILLAGE["id"]),), None)
