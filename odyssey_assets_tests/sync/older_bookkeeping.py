"""Bookkeeping as an earlier version of this project left it: its tables, and of the rows what it knew."""

import psycopg

from odyssey_assets.sync.bookkeeping import UPGRADES

PUBLICATIONS_SINCE = 2
"""The version that brought the ledger; before it there was the quarantine alone."""

_TABLES_SQL = "SELECT tablename FROM pg_tables WHERE schemaname = 'odyssey_sync'"


def bring_back(uri: str, version: int) -> None:
    """Turn ``odyssey_sync`` back to a version; it keeps its owner, and the rows of the tables that version had."""
    with psycopg.connect(uri) as connection:
        ((owner,),) = connection.execute(
            "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'odyssey_sync'"
        )
        connection.execute("ALTER SCHEMA odyssey_sync RENAME TO newer_sync")
        connection.execute(f"CREATE SCHEMA odyssey_sync AUTHORIZATION {owner}")
        connection.execute("CREATE TABLE odyssey_sync.version (number integer NOT NULL)")
        connection.execute(f"INSERT INTO odyssey_sync.version VALUES ({version})")
        for statements in UPGRADES[:version]:
            for statement in statements:
                connection.execute(statement)
        has_publications = version >= PUBLICATIONS_SINCE
        for table in ("publication", "published_table", "quarantine") if has_publications else ("quarantine",):
            ((columns,),) = connection.execute(
                "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns "
                "WHERE table_schema = 'odyssey_sync' AND table_name = %s",
                [table],
            )
            connection.execute(f"INSERT INTO odyssey_sync.{table} ({columns}) SELECT {columns} FROM newer_sync.{table}")
        if has_publications:
            connection.execute(
                "SELECT setval(pg_get_serial_sequence('odyssey_sync.publication', 'id'), max(id)) "
                "FROM odyssey_sync.publication"
            )
        for (table,) in connection.execute(_TABLES_SQL).fetchall():
            connection.execute(f"ALTER TABLE odyssey_sync.{table} OWNER TO {owner}")
        connection.execute("DROP SCHEMA newer_sync CASCADE")
