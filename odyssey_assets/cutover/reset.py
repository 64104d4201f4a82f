"""Emptying the target after a way back, so that a migration can begin anew.

Belongs here: whether it may be done, and doing it. Does not belong here: the way back (``rollback``).
"""

from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import RefusedError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import PRISMA_BOOKKEEPING, enums_of, tables_in_order
from odyssey_assets.sync.bookkeeping import bookkeeping_version, ensure_bookkeeping
from odyssey_assets.sync.guards import hold_sync_lock, refuse_after_switch
from odyssey_assets.target.catalog import read_catalog
from odyssey_assets.target.connection import commit, connect, execute, query
from odyssey_assets.target.url import TargetUrl


@dataclass(frozen=True)
class Reset:
    """``tables`` were dropped, or emptied where Prisma made them and the next migration must find them."""

    tables: tuple[str, ...]
    were_dropped: bool


def reset_target(target: TargetUrl) -> Reset:
    """Take everything of Odyssey's out of the target, and the ledger's account of it; cut-overs stay on record.

    Tables that Prisma made are emptied and stay; tables this project made are dropped with their enums, and the next
    migration makes them again. Raises RefusedError while PostgreSQL is the truth, or anybody else is connected.
    """
    with connect(target) as connection:
        hold_sync_lock(connection, target.schema)
        refuse_after_switch(connection, target.schema)
        _refuse_company(connection)
        found = read_catalog(connection, target.schema)
        tables = [table for table in tables_in_order() if table.name in found.tables]
        _refuse_dependents(connection, target.schema, [table.name for table in tables])
        names = ", ".join(f"{quoted(target.schema)}.{quoted(table.name)}" for table in tables)
        were_dropped = PRISMA_BOOKKEEPING not in found.tables
        if names:
            execute(connection, f"DROP TABLE {names}" if were_dropped else f"TRUNCATE {names}")
        if were_dropped:
            for enum in sorted({str(enum.name) for table in tables for enum in enums_of(table).values()}):
                execute(connection, f"DROP TYPE IF EXISTS {quoted(target.schema)}.{quoted(enum)}")
        _forget_publications(connection, target.schema)
        commit(connection)
    return Reset(tuple(table.name for table in tables), were_dropped)


def _refuse_company(connection: Connection) -> None:
    others = [str(row["told"]) for row in query(connection, _OTHERS_SQL)]
    if others:
        raise RefusedError(
            f"Others are connected to this database: {'; '.join(others)}.",
            hint="End their sessions, then run again; nothing was changed.",
        )


def _refuse_dependents(connection: Connection, schema: str, tables: list[str]) -> None:
    """What a team has hung onto these tables is not ours to take away, so nothing here cascades."""
    found = sorted(
        str(row["dependent"])
        for row in query(connection, _DEPENDENTS_SQL, [schema])
        if row["table_name"] in tables and not (row["is_ours"] and row["dependent_name"] in tables)
    )
    if found:
        raise RefusedError(
            f"Others depend on the tables of Odyssey: {', '.join(dict.fromkeys(found))}.",
            hint="Drop these first, or empty the tables by hand; nothing was changed.",
        )


def _forget_publications(connection: Connection, schema: str) -> None:
    if not bookkeeping_version(connection):
        return
    ensure_bookkeeping(connection)
    for table in ("quarantine", "published_table", "publication"):
        query(
            connection,
            f"WITH gone AS (DELETE FROM odyssey_sync.{table} WHERE schema_name = $1 RETURNING 1) "
            "SELECT count(*) AS n FROM gone",
            [schema],
        )


# Of other roles' sessions an ordinary role sees no more than process and user; the server's own workers have no user.
_OTHERS_SQL = """
SELECT format('pid %s (%s, user %s)', pid,
              CASE WHEN backend_type IS NULL THEN 'application not visible to this role'
                   ELSE coalesce(nullif(application_name, ''), 'no application name') END, usename) AS told
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
  AND coalesce(backend_type, 'client backend') = 'client backend'
ORDER BY pid
"""

_DEPENDENTS_SQL = """
SELECT t.relname AS table_name, v.oid::regclass::text AS dependent, v.relname AS dependent_name, FALSE AS is_ours
FROM pg_class t
JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_rewrite r ON r.oid = d.objid
JOIN pg_class v ON v.oid = r.ev_class AND v.oid <> t.oid
WHERE t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
UNION
SELECT t.relname, c.oid::regclass::text, c.relname, c.relnamespace = t.relnamespace
FROM pg_class t
JOIN pg_constraint k ON k.contype = 'f' AND k.confrelid = t.oid
JOIN pg_class c ON c.oid = k.conrelid
WHERE t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
"""
