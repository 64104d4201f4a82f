"""How large the target's tables are.

Belongs here: sizes of tables. Does not belong here: the state of the server (``server_state``).
"""

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.target.connection import query


def table_sizes(connection: Connection, schema: str) -> dict[str, int]:
    """Bytes by table, indexes and TOAST included."""
    return {str(row["name"]): int(str(row["bytes"])) for row in query(connection, _SIZES_SQL, [schema])}


_SIZES_SQL = """
SELECT c.relname::text AS name, pg_total_relation_size(c.oid) AS bytes
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
"""
