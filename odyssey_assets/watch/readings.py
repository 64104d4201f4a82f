"""The numbers that tell how a PostgreSQL server fares, read with as little right as possible.

A number the role may not see is None, and its reason stands beside it: that is not zero, and no good news.

Belongs here: reading them. Does not belong here: what is too much (``judging``), or the slow queries (``statements``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.target.connection import query

SMALL_TABLE_ROWS = 10_000
"""Dead rows of tables smaller than this cost nothing worth telling."""

NEEDS_MONITOR = "the role sees its own sessions only; GRANT pg_monitor (or pg_read_all_stats) to it"


@dataclass(frozen=True)
class Totals:
    """What the server has counted for this database since ``since``, its last reset; it only ever grows."""

    since: str
    at: float
    commits: int
    rollbacks: int
    deadlocks: int
    broken_sessions: int
    blocks_hit: int
    blocks_read: int
    temporary_bytes: int


@dataclass(frozen=True)
class Reading:
    """One look. ``connections_limit`` is what ordinary roles may use; ``oldest_transaction_seconds`` is None where it
    cannot be seen; ``dead_rows_table`` is the table with the largest share of dead rows, empty where none has any."""

    totals: Totals
    connections: int
    connections_limit: int
    lock_waits: int
    longest_lock_wait_seconds: float
    waiting_for_locks: tuple[int, ...]
    oldest_transaction_seconds: float | None
    oldest_transaction_pid: int | None
    dead_rows_percent: float
    dead_rows_table: str
    dead_rows: int
    database_bytes: int


def read(connection: Connection, schema: str) -> Reading:
    """Ask the server. Needs no right but to connect."""
    (server,) = query(connection, _SERVER_SQL)
    (locks,) = query(connection, _LOCKS_SQL)
    (dead,) = query(connection, _DEAD_SQL, [schema, SMALL_TABLE_ROWS])
    oldest = query(connection, _OLDEST_SQL)[0] if server["sees_everyone"] else None
    return Reading(
        totals=Totals(
            since=str(server["since"]),
            at=_decimal(server, "at"),
            commits=_number(server, "commits"),
            rollbacks=_number(server, "rollbacks"),
            deadlocks=_number(server, "deadlocks"),
            broken_sessions=_number(server, "broken_sessions"),
            blocks_hit=_number(server, "blocks_hit"),
            blocks_read=_number(server, "blocks_read"),
            temporary_bytes=_number(server, "temporary_bytes"),
        ),
        connections=_number(server, "connections"),
        connections_limit=_number(server, "connections_limit"),
        lock_waits=_number(locks, "waits"),
        longest_lock_wait_seconds=_decimal(locks, "longest_seconds"),
        waiting_for_locks=tuple(locks["pids"] or ()),  # type: ignore[arg-type]
        oldest_transaction_seconds=None if oldest is None else _decimal(oldest, "seconds"),
        oldest_transaction_pid=None if oldest is None or oldest["pid"] is None else _number(oldest, "pid"),
        dead_rows_percent=_decimal(dead, "percent"),
        dead_rows_table=str(dead["name"] or ""),
        dead_rows=_number(dead, "dead"),
        database_bytes=_number(server, "database_bytes"),
    )


def since(before: Totals | None, now: Totals) -> Totals:
    """What was counted between two looks; everything since the reset where there is no earlier look at the same count.

    A server that crashed or was reset begins to count anew, with a new ``since``.
    """
    if before is None or before.since != now.since or before.commits > now.commits:
        return now
    return Totals(
        since=now.since,
        at=now.at,
        commits=now.commits - before.commits,
        rollbacks=now.rollbacks - before.rollbacks,
        deadlocks=now.deadlocks - before.deadlocks,
        broken_sessions=now.broken_sessions - before.broken_sessions,
        blocks_hit=now.blocks_hit - before.blocks_hit,
        blocks_read=now.blocks_read - before.blocks_read,
        temporary_bytes=now.temporary_bytes - before.temporary_bytes,
    )


def _number(row: Mapping[str, object], name: str) -> int:
    return int(str(row[name] or 0))


def _decimal(row: Mapping[str, object], name: str) -> float:
    return float(str(row[name] or 0))


_SERVER_SQL = """
SELECT coalesce(s.stats_reset, pg_postmaster_start_time())::text AS since,
       extract(epoch FROM clock_timestamp())::float8 AS at,
       s.xact_commit AS commits,
       s.xact_rollback AS rollbacks,
       s.deadlocks,
       s.sessions_fatal + s.sessions_killed + s.sessions_abandoned AS broken_sessions,
       s.blks_hit AS blocks_hit,
       s.blks_read AS blocks_read,
       s.temp_bytes AS temporary_bytes,
       (SELECT sum(numbackends) FROM pg_stat_database WHERE datid <> 0)::bigint AS connections,
       (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true), '0')::int)::bigint AS connections_limit,
       pg_database_size(s.datid) AS database_bytes,
       pg_has_role('pg_read_all_stats', 'USAGE') AS sees_everyone
FROM pg_stat_database s
WHERE s.datname = current_database()
"""

_LOCKS_SQL = """
SELECT count(*) AS waits,
       extract(epoch FROM clock_timestamp() - min(waitstart))::float8 AS longest_seconds,
       array_agg(DISTINCT pid) AS pids
FROM pg_locks
WHERE NOT granted
"""

_DEAD_SQL = """
SELECT max(dead)::bigint AS dead, max(name) AS name, max(percent)::float8 AS percent
FROM (
    SELECT relname::text AS name, n_dead_tup AS dead, 100.0 * n_dead_tup / (n_live_tup + n_dead_tup) AS percent
    FROM pg_stat_user_tables
    WHERE schemaname = $1 AND n_live_tup + n_dead_tup >= $2::bigint AND n_dead_tup > 0
    ORDER BY percent DESC, relname
    LIMIT 1) worst
"""

_OLDEST_SQL = """
SELECT extract(epoch FROM clock_timestamp() - max_age.xact_start)::float8 AS seconds, max_age.pid
FROM (SELECT 1) one
LEFT JOIN (
    SELECT xact_start, pid
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
      AND xact_start IS NOT NULL
    ORDER BY xact_start
    LIMIT 1) max_age ON true
"""
