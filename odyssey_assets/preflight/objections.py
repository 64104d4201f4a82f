"""Objections: sets of source rows that cannot be carried, and the findings that tell of them.

Belongs here: the shape, and naming rows by key. Does not belong here: looking for such rows (``scan``, ``keys``).
"""

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.source.snapshot import open_snapshot

FINDINGS_LISTED = 20
"""Rows of one objection that get a finding of their own; one more finding counts the rest."""

Rowids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Objection:
    """Rows of one table that share one reason; ``rowids`` are SQLite's, in any order, each once.

    ``is_consequence`` marks rows with nothing wrong in themselves, which follow another row into quarantine.
    """

    table: str
    column: str | None
    kind: str
    detail: str
    rowids: Rowids
    is_consequence: bool = False


def rows_by_table(objections: Iterable[Objection]) -> dict[str, Rowids]:
    """All rows that any objection holds back, by table, sorted."""
    found: dict[str, list[Rowids]] = {}
    for objection in objections:
        found.setdefault(objection.table, []).append(objection.rowids)
    return {table: np.unique(np.concatenate(parts)) for table, parts in found.items()}


def findings_of(
    objections: Iterable[Objection], snapshot: Path, tables: Mapping[str, CarriedTable]
) -> tuple[Finding, ...]:
    """A finding for every offending row up to the cap, then one with the remaining count."""
    with open_snapshot(snapshot) as connection:
        return tuple(
            finding
            for objection in objections
            for finding in _findings(objection, connection, tables[objection.table].key)
        )


def _findings(objection: Objection, connection: sqlite3.Connection, key: tuple[str, ...]) -> Iterator[Finding]:
    listed = np.sort(objection.rowids)[:FINDINGS_LISTED]
    severity = Severity.WARNING if objection.is_consequence else Severity.ERROR
    for row_key in keys_of_rows(connection, objection.table, key, listed):
        yield Finding(severity, objection.kind, objection.table, objection.column, row_key, 1, objection.detail)
    remaining = len(objection.rowids) - len(listed)
    if remaining:
        detail = f"{objection.detail} ({remaining:,} more rows)"
        yield Finding(severity, objection.kind, objection.table, objection.column, None, remaining, detail)


def keys_of_rows(
    connection: sqlite3.Connection, table: str, key: tuple[str, ...], rowids: Rowids
) -> Iterator[dict[str, object]]:
    """The key values of rows in rowid order, as JSON can take them; a broken key is joined by the row's rowid."""
    columns = ", ".join(map(quoted, key))
    rows = connection.execute(
        f"SELECT rowid, {columns} FROM {quoted(table)} WHERE rowid IN (SELECT value FROM json_each(?)) ORDER BY rowid",
        (json.dumps(rowids.tolist()),),
    )
    for rowid, *values in rows:
        shown = [_shown(value) for value in values]
        named = dict(zip(key, shown, strict=True))
        has_key = shown == values and None not in values and "" not in values
        yield named if has_key else {**named, "rowid": rowid}


def _shown(value: object) -> object:
    """A key part as JSON, PostgreSQL and a terminal can take it."""
    match value:
        case bytes():
            return f"x'{value.hex()}'"
        case float() if not math.isfinite(value):
            return str(value)
        case str():
            text = value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            return text.replace("\x00", "\\x00")
        case _:
            return value
