"""The ledger: what was published when, from which snapshot, with the digests of both sides.

It is written in the transaction it tells of, so it is true or not there at all.

Belongs here: writing and reading entries. Does not belong here: what follows from them (``delta``, ``tampering``,
``guards``).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.compare.digest import ALGORITHM
from odyssey_assets.sync.bookkeeping import SCHEMA, bookkeeping_version, ensure_bookkeeping
from odyssey_assets.sync.session import Session
from odyssey_assets.target.connection import connect, query
from odyssey_assets.target.digests import METHOD, TargetDigest
from odyssey_assets.target.url import TargetUrl


@dataclass(frozen=True)
class Publication:
    """The last time anything was published into a schema.

    ``source_identity`` is Prisma's id of its first migration; ``is_examined`` says that SQLite's own checks were asked
    of the snapshot and had no objection.
    """

    id: int
    snapshot_id: str
    snapshot_sha256: str
    snapshot_bytes: int
    run_id: str
    published_at: str
    source_identity: str | None
    migrations: tuple[str, ...]
    source_rows: int
    is_examined: bool


@dataclass(frozen=True)
class LedgerEntry:
    """What the ledger says of one table.

    ``source_digest`` is None where it was made by another version of the digest; ``server_version`` is that of the
    server that made ``target``, None where it was made by another method, so that it equals no server's.
    ``nulls`` counts by column on either side, which were equal. ``date_forms`` are the storage classes of dates by
    column, ``dangling`` the rows by soft reference that led nowhere; both None where an earlier version of this project
    wrote the entry.
    """

    table: str
    publication: int
    snapshot_id: str
    snapshot_bytes: int
    snapshot_sha256: str
    server_version: int | None
    columns: tuple[str, ...]
    rows: int
    held_rows: int
    source_digest: int | None
    target: TargetDigest
    nulls: Mapping[str, int]
    date_forms: Mapping[str, tuple[str, ...]] | None = None
    dangling: Mapping[str, int] | None = None


def last_publication(connection: Connection, schema: str) -> Publication | None:
    """The newest entry of a schema, or None where nothing was ever published."""
    version = bookkeeping_version(connection)
    if version < _SINCE_VERSION:
        return None
    rows = query(connection, _last_sql(version), [schema])
    if not rows:
        return None
    (row,) = rows
    return Publication(
        int(str(row["id"])),
        str(row["snapshot_id"]),
        str(row["snapshot_sha256"]),
        int(str(row["snapshot_bytes"])),
        str(row["run_id"]),
        str(row["published_at"]),
        None if row["source_identity"] is None else str(row["source_identity"]),
        tuple(json.loads(str(row["migrations"]))),
        int(str(row["source_rows"])),
        bool(row["is_examined"]),
    )


def read_ledger(connection: Connection, schema: str) -> dict[str, LedgerEntry]:
    """The newest entry of every table of a schema."""
    version = bookkeeping_version(connection)
    if version < _SINCE_VERSION:
        return {}
    return {str(row["table_name"]): _entry(row) for row in query(connection, _entries_sql(version), [schema])}


def published_tables(target: TargetUrl) -> dict[str, LedgerEntry]:
    """The same, asked of a target by itself."""
    with connect(target, read_only=True) as connection:
        return read_ledger(connection, target.schema)


def write_publication(session: Session, entries: Iterable[LedgerEntry], *, is_examined: bool) -> None:
    """Add a publication with its tables. The ``publication`` and snapshot of the entries given do not count."""
    ensure_bookkeeping(session.connection)
    snapshot, source = session.snapshot, session.source
    (row,) = query(session.connection, _NEXT_PUBLICATION_SQL)
    number = int(str(row["id"]))
    _append(
        session.connection,
        "publication",
        {
            "id": pa.array([number], pa.int64()),
            "schema_name": pa.array([session.schema]),
            "run_id": pa.array([session.request.run_id]),
            "snapshot_id": pa.array([snapshot.id]),
            "snapshot_sha256": pa.array([snapshot.sha256]),
            "snapshot_bytes": pa.array([snapshot.bytes], pa.int64()),
            "taken_at": pa.array([snapshot.taken_at], pa.timestamp("us", "UTC")),
            "source_version": pa.array([source.version], pa.int32()),
            "source_identity": pa.array([source.identity], pa.string()),
            "migrations": _json([json.dumps(source.migrations)]),
            "is_examined": pa.array([is_examined]),
        },
    )
    listed = list(entries)
    _append(
        session.connection,
        "published_table",
        {
            "publication_id": pa.array([number] * len(listed), pa.int64()),
            "schema_name": pa.array([session.schema] * len(listed), pa.string()),
            "table_name": pa.array([each.table for each in listed], pa.string()),
            "server_version": pa.array([each.server_version for each in listed], pa.int32()),
            "column_names": _json([json.dumps(each.columns) for each in listed]),
            "source_rows": pa.array([each.rows for each in listed], pa.int64()),
            "target_rows": pa.array([each.target.rows for each in listed], pa.int64()),
            "held_rows": pa.array([each.held_rows for each in listed], pa.int64()),
            "digest_algorithm": pa.array([ALGORITHM] * len(listed), pa.string()),
            "source_digest": pa.array([str(each.source_digest) for each in listed], pa.string()),
            "target_digest": pa.array([str(each.target.total) for each in listed], pa.string()),
            "nulls": _json([json.dumps(dict(each.nulls)) for each in listed]),
            "date_forms": _json([_json_or_none(each.date_forms) for each in listed]),
            "dangling": _json([_json_or_none(each.dangling) for each in listed]),
            "target_method": pa.array([METHOD] * len(listed), pa.string()),
        },
    )
    query(session.connection, _PRUNE_SQL, [session.schema, number - PUBLICATIONS_KEPT])


def _append(connection: Connection, table: str, columns: Mapping[str, pa.Array]) -> None:
    with connection.cursor() as cursor:
        cursor.adbc_ingest(table, pa.table(dict(columns)), mode="append", db_schema_name=SCHEMA)


def _json_or_none(value: Mapping[str, object] | None) -> str | None:
    return None if value is None else json.dumps(dict(value))


def _json(texts: Sequence[str | None]) -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(texts, pa.string()))


def _entry(row: Mapping[str, object]) -> LedgerEntry:
    date_forms = row["date_forms"]
    is_comparable = row["digest_algorithm"] == ALGORITHM and row["source_digest"] != "None"
    return LedgerEntry(
        str(row["table_name"]),
        int(str(row["publication_id"])),
        str(row["snapshot_id"]),
        int(str(row["snapshot_bytes"])),
        str(row["snapshot_sha256"]),
        int(str(row["server_version"])) if row["target_method"] == METHOD else None,
        tuple(json.loads(str(row["column_names"]))),
        int(str(row["source_rows"])),
        int(str(row["held_rows"])),
        int(str(row["source_digest"])) if is_comparable else None,
        TargetDigest(int(str(row["target_rows"])), int(str(row["target_digest"]))),
        json.loads(str(row["nulls"])),
        None if date_forms is None else {name: tuple(forms) for name, forms in json.loads(str(date_forms)).items()},
        None if row["dangling"] is None else json.loads(str(row["dangling"])),
    )


PUBLICATIONS_KEPT = 1_000
"""What the ledger remembers of each table: ten days of a sync every quarter of an hour. Of a table that was not
published for longer its newest entry stays."""

_NEXT_PUBLICATION_SQL = "SELECT nextval(pg_get_serial_sequence('odyssey_sync.publication', 'id')) AS id"

_PRUNE_SQL = """
WITH gone AS (
    DELETE FROM odyssey_sync.published_table old
    WHERE old.schema_name = $1 AND old.publication_id <= $2
      AND EXISTS (SELECT 1 FROM odyssey_sync.published_table newer
                  WHERE newer.schema_name = old.schema_name AND newer.table_name = old.table_name
                    AND newer.publication_id > old.publication_id)
    RETURNING 1)
SELECT count(*) AS n FROM gone
"""

_SINCE_VERSION = 2
"""The version of ``odyssey_sync`` that brought these tables."""
_FACTS_SINCE_VERSION = 3
"""The version that brought what is kept of the source beside its rows."""
_METHOD_SINCE_VERSION = 4
"""The version that says how the target's digest was made; before it, not as it is today."""
_EXAMINED_SINCE_VERSION = 6
"""The version that says whether SQLite's own checks were asked of a snapshot."""


def _last_sql(version: int) -> str:
    is_examined = "p.is_examined" if version >= _EXAMINED_SINCE_VERSION else "false AS is_examined"
    return f"""
SELECT p.id, p.snapshot_id, p.snapshot_sha256, p.snapshot_bytes, p.run_id, p.published_at::text AS published_at,
       p.source_identity, p.migrations::text AS migrations, {is_examined},
       coalesce((SELECT sum(t.source_rows) FROM odyssey_sync.published_table t WHERE t.publication_id = p.id), 0)
           ::bigint AS source_rows
FROM odyssey_sync.publication p
WHERE p.schema_name = $1
ORDER BY p.id DESC
LIMIT 1
"""


def _entries_sql(version: int) -> str:
    """A verification reads a ledger that an earlier version of this project wrote, and does not bring it up to date."""
    facts = ("t.date_forms::text", "t.dangling::text") if version >= _FACTS_SINCE_VERSION else ("NULL::text",) * 2
    method = "t.target_method" if version >= _METHOD_SINCE_VERSION else "NULL::text"
    return f"""
SELECT DISTINCT ON (t.table_name)
       t.table_name, t.publication_id, p.snapshot_id, p.snapshot_bytes, p.snapshot_sha256, t.server_version,
       t.column_names::text AS column_names, t.source_rows, t.target_rows, t.held_rows, t.digest_algorithm,
       t.source_digest, t.target_digest, t.nulls::text AS nulls, {facts[0]} AS date_forms, {facts[1]} AS dangling,
       {method} AS target_method
FROM odyssey_sync.published_table t
JOIN odyssey_sync.publication p ON p.id = t.publication_id
WHERE t.schema_name = $1
ORDER BY t.table_name, t.publication_id DESC
"""
