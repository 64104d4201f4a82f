"""Emptying the target after a way back, so that a migration can begin anew.

Belongs here: whether it may be done, and doing it. Does not belong here: the way back (``rollback``).
"""

from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import RefusedError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import PRISMA_BOOKKEEPING, enums_of, tables_in_order
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
        names = ", ".join(f"{quoted(target.schema)}.{quoted(table.name)}" for table in tables)
        were_dropped = PRISMA_BOOKKEEPING not in found.tables
        if names:
            # Without CASCADE: what a team has hung onto these tables is not ours to take away.
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


def _forget_publications(connection: Connection, schema: str) -> None:
    for table in ("quarantine", "published_table", "publication"):
        query(
            connection,
            f"WITH gone AS (DELETE FROM odyssey_sync.{table} WHERE schema_name = $1 RETURNING 1) "
            "SELECT count(*) AS n FROM gone",
            [schema],
        )


_OTHERS_SQL = """
SELECT format('pid %s (%s, user %s)', pid, coalesce(nullif(application_name, ''), 'no application name'),
              coalesce(usename::text, 'not visible to this role')) AS told
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
ORDER BY pid
"""
