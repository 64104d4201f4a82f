"""What a PostgreSQL database holds, table by table, as rows and digests.

Belongs here: reading it in the caller's transaction. Does not belong here: comparing it with a manifest (``drill``).
"""

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.backup.manifest import TableContent
from odyssey_assets.sync.ledger import LedgerEntry, read_ledger
from odyssey_assets.target.connection import query, server_version
from odyssey_assets.target.digests import table_digest

_TABLES_SQL = """
SELECT n.nspname::text AS schema, c.relname::text AS name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.deptype = 'e')
ORDER BY 1, 2
"""
"""Every ordinary table but those of extensions, whose rows are not dumped."""


def read_content(connection: Connection, schema: str) -> dict[str, TableContent]:
    """Every table of the database as ``schema.table``; those of the application's ``schema`` beside the ledger."""
    ledger, version = read_ledger(connection, schema), server_version(connection)
    content = {}
    for row in query(connection, _TABLES_SQL):
        name = str(row["name"])
        digest = table_digest(connection, str(row["schema"]), name)
        entry: LedgerEntry | None = ledger.get(name) if row["schema"] == schema else None
        # What another version of the server or of the digest made equals nothing.
        is_as_published = entry.target == digest if entry and entry.server_version == version else None
        content[f"{row['schema']}.{name}"] = TableContent(digest.rows, str(digest.total), is_as_published)
    return content
