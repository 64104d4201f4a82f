"""Rows that were held back, kept in ``odyssey_sync.quarantine`` with their original bytes until the source is mended.

Belongs here: writing and asking. Does not belong here: deciding which rows are held back (``preflight``).
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.preflight.objections import Objection, Rowids, keys_of_rows
from odyssey_assets.source.snapshot import open_snapshot
from odyssey_assets.sync.bookkeeping import SCHEMA, bookkeeping_version, ensure_bookkeeping
from odyssey_assets.sync.session import Session
from odyssey_assets.target.connection import execute, query

ROWS_AT_A_TIME = 10_000
"""Held rows are few; if a whole column is wrong, this bounds the memory their bytes take."""


class _Text(bytes):
    """The bytes of a TEXT value; plain ``bytes`` are a BLOB."""


_JSON = pa.json_(pa.string())
_COLUMNS = pa.schema(
    [
        ("schema_name", pa.string()),
        ("table_name", pa.string()),
        ("source_rowid", pa.int64()),
        ("key", _JSON),
        ("column_name", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("original", _JSON),
        ("snapshot_id", pa.string()),
    ]
)


def holds_rows(connection: Connection, schema: str) -> bool:
    """Whether any row of this schema is in quarantine."""
    if bookkeeping_version(connection) == 0:
        return False
    rows = query(connection, "SELECT 1 AS one FROM odyssey_sync.quarantine WHERE schema_name = $1 LIMIT 1", [schema])
    return bool(rows)


def rows_still_there(snapshot: Path, table: CarriedTable, recorded: Mapping[int, object]) -> Rowids:
    """The recorded rows that a snapshot has under the same rowid and key, for SQLite gives rowids anew."""
    rowids = np.sort(np.fromiter(recorded, dtype=np.int64, count=len(recorded)))
    with open_snapshot(snapshot) as connection:
        cursor = connection.execute(
            f"SELECT rowid FROM {quoted(table.name)} WHERE rowid IN (SELECT value FROM json_each(?)) ORDER BY rowid",
            (json.dumps(rowids.tolist()),),
        )
        there = np.array([rowid for (rowid,) in cursor], dtype=np.int64)
        keys = keys_of_rows(connection, table.name, table.key, there)
        is_same = [
            json.loads(json.dumps(key)) == recorded[rowid] for rowid, key in zip(there.tolist(), keys, strict=True)
        ]
    return there[np.array(is_same, dtype=np.bool_)]


def replace_quarantine(session: Session, tables: Mapping[str, CarriedTable], objections: tuple[Objection, ...]) -> None:
    """Let the quarantine of these tables hold exactly the rows objected to now; what was mended leaves by itself."""
    if not tables or not (objections or holds_rows(session.connection, session.schema)):
        return
    ensure_bookkeeping(session.connection)
    names = ", ".join(_literal(name) for name in sorted(tables))
    execute(
        session.connection,
        f"DELETE FROM odyssey_sync.quarantine WHERE schema_name = {_literal(session.schema)} "
        f"AND table_name IN ({names})",
    )
    with open_snapshot(session.snapshot.path) as source, session.connection.cursor() as cursor:
        source.text_factory = _Text
        batches = (
            batch for objection in objections for batch in _batches(session, source, objection, tables[objection.table])
        )
        reader = pa.RecordBatchReader.from_batches(_COLUMNS, batches)
        cursor.adbc_ingest("quarantine", reader, mode="append", db_schema_name=SCHEMA)


def _batches(
    session: Session, source: sqlite3.Connection, objection: Objection, table: CarriedTable
) -> Iterator[pa.RecordBatch]:
    rowids = np.sort(objection.rowids)
    for first in range(0, len(rowids), ROWS_AT_A_TIME):
        some = rowids[first : first + ROWS_AT_A_TIME]
        with open_snapshot(session.snapshot.path) as for_keys:
            keys = [json.dumps(key) for key in keys_of_rows(for_keys, table.name, table.key, some)]
        cursor = source.execute(
            f"SELECT * FROM {quoted(table.name)} WHERE rowid IN (SELECT value FROM json_each(?)) ORDER BY rowid",
            (json.dumps(some.tolist()),),
        )
        names = [description[0] for description in cursor.description]
        originals = [json.dumps(dict(zip(names, map(_original, row), strict=True))) for row in cursor]
        count = len(some)
        columns = {
            "schema_name": [session.schema] * count,
            "table_name": [table.name] * count,
            "source_rowid": some,
            "key": keys,
            "column_name": [objection.column] * count,
            "reason": [objection.kind] * count,
            "detail": [objection.detail] * count,
            "original": originals,
            "snapshot_id": [session.snapshot.id] * count,
        }
        yield pa.RecordBatch.from_arrays(
            [_array(columns[field.name], field.type) for field in _COLUMNS], schema=_COLUMNS
        )


def _array(values: object, wanted: pa.DataType) -> pa.Array:
    if isinstance(wanted, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(wanted, pa.array(values, wanted.storage_type))
    return pa.array(values, wanted)


def _original(value: object) -> dict[str, object]:
    """One cell with its storage class; bytes that JSON or PostgreSQL cannot hold as text are kept in hexadecimal."""
    match value:
        case None:
            return {"class": "null"}
        case int():
            return {"class": "integer", "value": str(value)}
        case float():
            return {"class": "real", "value": value.hex()}
        case _Text():
            return _original_text(value)
        case bytes():
            return {"class": "blob", "hex": value.hex()}
        case _:
            raise TypeError(f"SQLite gave a {type(value).__name__}")


def _original_text(raw: _Text) -> dict[str, object]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return {"class": "text", "hex": raw.hex()}
    return {"class": "text", "hex": raw.hex()} if "\x00" in text else {"class": "text", "value": text}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
