"""Rows of the base that were held back from PostgreSQL, and so are in SQLite alone.

They must not be taken for rows that were deleted in PostgreSQL. They are told by their bytes as the quarantine keeps
them, not by rowid alone, which SQLite gives anew.

Belongs here: finding them in the base. Does not belong here: the quarantine itself (``sync.quarantine``).
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import cast

import numpy as np

from odyssey_assets.errors import ConfigurationError, IntegrityError, RefusedError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.preflight.objections import Rowids
from odyssey_assets.source.inspection import SourceCatalog
from odyssey_assets.source.snapshot import open_snapshot
from odyssey_assets.sync.bookkeeping import SCHEMA, bookkeeping_version
from odyssey_assets.sync.ledger import last_publication, read_ledger
from odyssey_assets.target.connection import query, stream
from odyssey_assets.target.table_locks import LockedTarget

Cells = Mapping[str, Mapping[str, str]]
"""One row as the quarantine keeps it: storage class and value by column."""


def held_rows(base: Path, catalog: SourceCatalog, target: LockedTarget) -> dict[str, Rowids]:
    """The rowids, in the base, of all rows in quarantine, by table.

    Raises RefusedError where nothing was ever published from this database, or where a row in quarantine is not in the
    base as it was; IntegrityError where somebody changed the quarantine.
    """
    _require_ledger(target)
    _require_same_database(catalog, target)
    found: dict[str, set[int]] = {}
    with open_snapshot(base) as connection:
        for table, rowid, cells in _quarantined(target):
            if table not in catalog.tables:
                continue
            places = found.setdefault(table, set())
            columns = catalog.tables[table].column_names
            places.add(_place(connection, table, rowid, cells, columns, places))
    _require_all(found, target)
    return {table: np.array(sorted(rowids), dtype=np.int64) for table, rowids in found.items()}


def _require_ledger(target: LockedTarget) -> None:
    if bookkeeping_version(target.connection) == 0 and query(
        target.connection, "SELECT 1 AS one FROM pg_namespace WHERE nspname = $1", [SCHEMA]
    ):
        raise ConfigurationError(
            "This role may not read odyssey_sync, which knows the rows that were held back.",
            hint="Use the role that publishes.",
        )


def _require_same_database(catalog: SourceCatalog, target: LockedTarget) -> None:
    last = last_publication(target.connection, target.catalog.schema)
    if last is None:
        raise RefusedError(
            "PostgreSQL has no record of a publication, so nobody can say which rows of SQLite it never had.",
            hint="Check --postgres; if odyssey_sync is lost, restore PostgreSQL from a backup that has it.",
        )
    if None not in (catalog.identity, last.source_identity) and catalog.identity != last.source_identity:
        raise RefusedError(
            "This SQLite file is not of the database that was published: Prisma's first migration has another id.",
            hint="Name the file that was published last.",
        )


def _quarantined(target: LockedTarget) -> Iterator[tuple[str, int, Cells]]:
    if bookkeeping_version(target.connection) == 0:
        return
    schema = target.catalog.schema.replace("'", "''")
    sql = f"""
        SELECT DISTINCT ON (table_name, source_rowid) table_name, source_rowid, original::text AS original
        FROM odyssey_sync.quarantine WHERE schema_name = '{schema}' ORDER BY table_name, source_rowid
    """
    for batch in stream(target.connection, sql):
        for row in batch.to_pylist():
            yield row["table_name"], row["source_rowid"], json.loads(row["original"])


def _place(
    connection: sqlite3.Connection,
    table: str,
    rowid: int,
    cells: Cells,
    columns: tuple[str, ...],
    taken: Set[int],
) -> int:
    """Where the base has the row: under its rowid, else wherever the same bytes are."""
    shared = [name for name in columns if name in cells]
    conditions, values = _same_bytes_sql({name: cells[name] for name in shared})
    sql = f"SELECT rowid FROM {quoted(table)} WHERE {conditions}"
    there = connection.execute(f"{sql} AND rowid = ?", [*values, rowid]).fetchone()
    if there is not None and rowid not in taken:
        return rowid
    for (other,) in connection.execute(sql, values):
        if other not in taken:
            return cast(int, other)
    raise RefusedError(
        f"A row of {table} that was held back from PostgreSQL (row {rowid}) is not in the SQLite file as it was.",
        hint="Name the file that was published last; from any other this row could be lost.",
        table=table,
    )


def _same_bytes_sql(cells: Cells) -> tuple[str, list[object]]:
    """A condition on every cell's storage class and bytes, and its parameters."""
    conditions: list[str] = ["1"]
    values: list[object] = []
    for name, cell in cells.items():
        column = quoted(name)
        conditions.append(f"typeof({column}) = '{cell['class']}'")
        match cell["class"]:
            case "null":
                continue
            case "integer":
                values.append(int(cell["value"]))
            case "real":
                values.append(float.fromhex(cell["value"]))
            case _:
                values.append(bytes.fromhex(cell["hex"]) if "hex" in cell else cell["value"].encode())
                column = f"CAST({column} AS BLOB)"
        conditions.append(f"{column} = ?")
    return " AND ".join(conditions), values


def _require_all(found: Mapping[str, set[int]], target: LockedTarget) -> None:
    for name, entry in read_ledger(target.connection, target.catalog.schema).items():
        count = len(found.get(name, ()))
        if count != entry.held_rows:
            raise IntegrityError(
                f"odyssey_sync.quarantine was changed by someone else: it holds {count:,} rows of {name}, and "
                f"publication {entry.publication} held back {entry.held_rows:,}.",
                hint="Without it rows that PostgreSQL never had would be lost; restore odyssey_sync from a backup.",
                table=name,
            )
