"""Which side is the truth: SQLite, until a cut-over made PostgreSQL so and no rollback took it back.

Belongs here: asking. Does not belong here: the cut-over that changes it (``cutover``).
"""

from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.sync.bookkeeping import bookkeeping_version
from odyssey_assets.target.connection import connect, query
from odyssey_assets.target.url import TargetUrl

CUTOVERS_SINCE_VERSION = 5
"""The version of ``odyssey_sync`` that brought cut-overs."""
SWITCHED_REASON = "PostgreSQL is the truth"
"""How every reason begins that a switch gives."""


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


def reason_to_rest(target: TargetUrl) -> str | None:
    """Why nothing should follow SQLite by itself now: PostgreSQL is the truth, or is about to be; None otherwise."""
    with connect(target, read_only=True) as connection:
        switched = switched_cutover(connection, target.schema)
        if switched is not None:
            return f"{SWITCHED_REASON} since cut-over {switched.id} ({switched.changed_at})"
        if bookkeeping_version(connection) < CUTOVERS_SINCE_VERSION:
            return None
        rows = query(connection, _UNDER_WAY_SQL, [target.schema])
    if not rows:
        return None
    kind = "Rehearsal" if rows[0]["is_rehearsal"] else "Cut-over"
    return f"{kind} {rows[0]['id']} is not finished: it is at work, or waits for odyssey cutover --resume or --abort"


_UNDER_WAY_SQL = """
SELECT id, is_rehearsal
FROM odyssey_sync.cutover
WHERE schema_name = $1 AND state = 'running'
ORDER BY id DESC
LIMIT 1
"""

_SWITCHED_SQL = """
SELECT id, changed_at::text AS changed_at
FROM odyssey_sync.cutover
WHERE schema_name = $1 AND NOT is_rehearsal AND state IN ('switching', 'switched', 'finished')
ORDER BY id DESC
LIMIT 1
"""
