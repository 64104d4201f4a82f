"""Which side is the truth: SQLite, until a cut-over made PostgreSQL so and no rollback took it back.

Belongs here: asking. Does not belong here: the cut-over that changes it (``cutover``).
"""

from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.sync.bookkeeping import bookkeeping_version
from odyssey_assets.target.connection import query

CUTOVERS_SINCE_VERSION = 5
"""The version of ``odyssey_sync`` that brought cut-overs."""


@dataclass(frozen=True)
class Switched:
    """The cut-over that made PostgreSQL the truth, and since when, as the server writes it."""

    id: int
    changed_at: str


def switched_cutover(connection: Connection, schema: str) -> Switched | None:
    """The cut-over by which PostgreSQL is the truth for this schema; None while SQLite is."""
    if bookkeeping_version(connection) < CUTOVERS_SINCE_VERSION:
        return None
    rows = query(connection, _SWITCHED_SQL, [schema])
    return Switched(int(str(rows[0]["id"])), str(rows[0]["changed_at"])) if rows else None


_SWITCHED_SQL = """
SELECT id, changed_at::text AS changed_at
FROM odyssey_sync.cutover
WHERE schema_name = $1 AND NOT is_rehearsal AND state IN ('switching', 'switched', 'finished')
ORDER BY id DESC
LIMIT 1
"""
