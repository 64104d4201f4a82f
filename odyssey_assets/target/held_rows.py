"""Which rows the publications of a schema hold back, as ``odyssey_sync.quarantine`` tells.

Belongs here: asking for them. Does not belong here: writing them (``sync.quarantine``), or deciding which they are.
"""

import json

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.target.connection import query


def recorded_rows(connection: Connection, schema: str) -> dict[str, dict[int, object]]:
    """The key of every row held back, by table and by SQLite's rowid; none where this role may not read them."""
    (there,) = query(connection, _IS_READABLE_SQL)
    found: dict[str, dict[int, object]] = {}
    if there["is_readable"]:
        for row in query(connection, _RECORDED_SQL, [schema]):
            found.setdefault(str(row["table_name"]), {})[int(str(row["source_rowid"]))] = json.loads(str(row["key"]))
    return found


_IS_READABLE_SQL = """
SELECT EXISTS (
    SELECT 1
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'odyssey_sync' AND c.relname = 'quarantine'
      AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) AS is_readable
"""

_RECORDED_SQL = """
SELECT DISTINCT table_name, source_rowid, key::text AS key
FROM odyssey_sync.quarantine
WHERE schema_name = $1
"""
