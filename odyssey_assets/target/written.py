"""Which tables the open transaction has written to, by PostgreSQL's own count.

Cascades and triggers are counted like any other statement, so that no list of what they could have reached is needed.

Belongs here: asking. Does not belong here: what follows for those tables (``sync.resync``).
"""

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.target.connection import query


def written_tables(connection: Connection, schema: str) -> frozenset[str] | None:
    """The tables of a schema with rows inserted, updated or deleted in this transaction; None where nobody counts."""
    (setting,) = query(connection, "SELECT current_setting('track_counts') AS track_counts")
    if setting["track_counts"] != "on":
        return None
    rows = query(connection, _WRITTEN_SQL, [schema])
    return frozenset(str(row["name"]) for row in rows)


_WRITTEN_SQL = """
SELECT relname::text AS name
FROM pg_stat_xact_user_tables
WHERE schemaname = $1 AND n_tup_ins + n_tup_upd + n_tup_del > 0
"""
