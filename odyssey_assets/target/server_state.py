"""The state the target is in: settings, the role's rights, connections, estimates, and who else holds locks.

Belongs here: reading it, with ordinary rights and without waiting for any lock. Does not belong here: judging it
(``preflight.readiness``), or the shape of the schema (``catalog``).
"""

from collections.abc import Collection
from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.connection import query

TABLE_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
"""What a run does to the rows of a table."""


@dataclass(frozen=True)
class ServerState:
    """The server and this session on it.

    ``address`` is where the server answers, None over a Unix socket; ``tls_version`` is None where the session is not
    encrypted; ``free_connections`` is how many more an ordinary role may open; ``size_bytes`` is the whole database's.
    """

    version: str
    database: str
    role: str
    encoding: str
    collation: str
    address: str | None
    tls_version: str | None
    is_in_recovery: bool
    is_read_only_by_default: bool
    may_create_schemas: bool
    max_connections: int
    free_connections: int
    size_bytes: int


@dataclass(frozen=True)
class SchemaRights:
    """What the role may do in a schema that is there."""

    may_use: bool
    may_create: bool


@dataclass(frozen=True)
class TableState:
    """``rows_about`` is the planner's estimate, None before the first ANALYZE; ``hides_rows`` is row-level security."""

    name: str
    rows_about: int | None
    missing_rights: tuple[str, ...]
    hides_rows: bool


@dataclass(frozen=True)
class HeldLock:
    """What another session holds on one table; ``since`` (UTC) is None where this role may not see it."""

    pid: int
    application: str
    table: str
    modes: tuple[str, ...]
    since: str | None


def read_server_state(connection: Connection) -> ServerState:
    """Ask the server about itself and this session."""
    (row,) = query(connection, _SERVER_SQL)
    return ServerState(**row)  # type: ignore[arg-type]


def read_schema_rights(connection: Connection, schema: str) -> SchemaRights | None:
    """The role's rights on a schema, None where there is no such schema."""
    rows = query(connection, _SCHEMA_SQL, [schema])
    return SchemaRights(**rows[0]) if rows else None  # type: ignore[arg-type]


def read_table_states(connection: Connection, schema: str, tables: Collection[str]) -> tuple[TableState, ...]:
    """The state of those of ``tables`` that are there, by name."""
    return tuple(
        TableState(
            str(row["name"]),
            None if row["rows_about"] is None else int(str(row["rows_about"])),
            tuple(right for right in TABLE_RIGHTS if not row[right]),
            bool(row["hides_rows"]),
        )
        for row in query(connection, _TABLES_SQL, [schema])
        if row["name"] in tables
    )


def tables_with_rows(connection: Connection, schema: str, tables: Collection[str]) -> frozenset[str]:
    """Those of ``tables`` that hold a row. The role must be allowed to read them all, and none may be locked."""
    if not tables:
        return frozenset()
    asked = ", ".join(
        f"EXISTS (SELECT 1 FROM {quoted(schema)}.{quoted(name)}) AS {quoted(name)}" for name in sorted(tables)
    )
    (answer,) = query(connection, f"SELECT {asked}")
    return frozenset(name for name, has_rows in answer.items() if has_rows)


def count_left_rows(connection: Connection, schema: str, tables: Collection[str]) -> dict[str, int]:
    """Rows of those of ``tables`` that exist, hold any and may be read by this role."""
    there = query(connection, _READABLE_SQL, [schema, sorted(tables)]) if tables else []
    found: dict[str, int] = {}
    for name in (str(row["name"]) for row in there):
        (answer,) = query(connection, f"SELECT count(*) AS rows FROM {quoted(schema)}.{quoted(name)}")
        found[name] = int(str(answer["rows"]))
    return {name: rows for name, rows in found.items() if rows}


_READABLE_SQL = """
SELECT c.relname::text AS name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = ANY ($2::text[]) AND c.relkind IN ('r', 'p')
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY c.relname
"""


def locks_of_others(connection: Connection, schema: str, tables: Collection[str]) -> tuple[HeldLock, ...]:
    """Every lock that other sessions hold on ``tables``, one entry a session and table.

    Autovacuum is left out: it gives way by itself.
    """
    return tuple(
        HeldLock(
            int(str(row["pid"])),
            str(row["application"]),
            str(row["name"]),
            tuple(str(row["modes"]).split(", ")),
            None if row["since"] is None else str(row["since"]),
        )
        for row in query(connection, _LOCKS_SQL, [schema])
        if row["name"] in tables
    )


_SERVER_SQL = """
WITH connections AS (
    SELECT current_setting('max_connections')::int AS allowed,
           current_setting('superuser_reserved_connections')::int
               + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved,
           (SELECT count(*) FROM pg_stat_activity WHERE usesysid IS NOT NULL AND datid IS NOT NULL)::int AS used
)
SELECT current_setting('server_version') AS version,
       d.datname::text AS database,
       current_user::text AS role,
       pg_encoding_to_char(d.encoding)::text AS encoding,
       -- The column has another name from version to version.
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate::text) AS collation,
       host(inet_server_addr()) AS address,
       (SELECT s.version FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid() AND s.ssl) AS tls_version,
       pg_is_in_recovery() AS is_in_recovery,
       current_setting('default_transaction_read_only')::bool AS is_read_only_by_default,
       has_database_privilege(d.oid, 'CREATE') AS may_create_schemas,
       c.allowed AS max_connections,
       c.allowed - c.reserved - c.used AS free_connections,
       pg_database_size(d.oid) AS size_bytes
FROM pg_database d, connections c
WHERE d.datname = current_database()
"""

_SCHEMA_SQL = """
SELECT has_schema_privilege(oid, 'USAGE') AS may_use, has_schema_privilege(oid, 'CREATE') AS may_create
FROM pg_namespace
WHERE nspname = $1
"""

_TABLES_SQL = f"""
SELECT c.relname::text AS name,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS rows_about,
       {", ".join(f"has_table_privilege(c.oid, '{right}') AS {quoted(right)}" for right in TABLE_RIGHTS)},
       row_security_active(c.oid) AS hides_rows
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
ORDER BY c.relname
"""

_LOCKS_SQL = """
SELECT a.pid AS pid,
       coalesce(nullif(a.application_name, ''), 'no application name') AS application,
       c.relname::text AS name,
       string_agg(DISTINCT l.mode, ', ' ORDER BY l.mode) AS modes,
       to_char(min(a.xact_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND a.usesysid IS NOT NULL AND n.nspname = $1 AND c.relkind IN ('r', 'p')
GROUP BY a.pid, a.application_name, c.relname
ORDER BY a.pid, c.relname
"""
