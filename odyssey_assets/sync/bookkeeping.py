"""The schema ``odyssey_sync``: our own tables in the target, outside Prisma's sight, and their versions.

Belongs here: making and upgrading them. Does not belong here: what is written into them (``quarantine``, ``ledger``).
"""

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import ConfigurationError
from odyssey_assets.target.connection import execute, query

SCHEMA = "odyssey_sync"

UPGRADES: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE odyssey_sync.quarantine (
            schema_name text NOT NULL,
            table_name text NOT NULL,
            source_rowid bigint NOT NULL,
            key jsonb NOT NULL,
            column_name text,
            reason text NOT NULL,
            detail text NOT NULL,
            original jsonb NOT NULL,
            snapshot_id text NOT NULL,
            held_at timestamp(3) with time zone NOT NULL DEFAULT now())
        """,
        "CREATE INDEX quarantine_table_idx ON odyssey_sync.quarantine (schema_name, table_name)",
    ),
    (
        """
        CREATE TABLE odyssey_sync.publication (
            id bigint PRIMARY KEY,
            schema_name text NOT NULL,
            run_id text NOT NULL,
            snapshot_id text NOT NULL,
            snapshot_sha256 text NOT NULL,
            snapshot_bytes bigint NOT NULL,
            taken_at timestamp(3) with time zone NOT NULL,
            published_at timestamp(3) with time zone NOT NULL DEFAULT now(),
            source_version integer NOT NULL,
            source_identity text,
            migrations jsonb NOT NULL)
        """,
        """
        CREATE TABLE odyssey_sync.published_table (
            publication_id bigint NOT NULL REFERENCES odyssey_sync.publication (id),
            schema_name text NOT NULL,
            table_name text NOT NULL,
            server_version integer NOT NULL,
            column_names jsonb NOT NULL,
            source_rows bigint NOT NULL,
            target_rows bigint NOT NULL,
            held_rows bigint NOT NULL,
            digest_algorithm text NOT NULL,
            source_digest text NOT NULL,
            target_digest text NOT NULL,
            nulls jsonb NOT NULL,
            PRIMARY KEY (schema_name, table_name, publication_id))
        """,
    ),
)
"""Statements by version, oldest first; a version that was ever released is never edited, only followed by another."""


def ensure_bookkeeping(connection: Connection) -> None:
    """Bring ``odyssey_sync`` to this project's version, in the caller's transaction.

    Raises ConfigurationError when a newer version of this project was here before.
    """
    version = bookkeeping_version(connection)
    if version > len(UPGRADES):
        raise ConfigurationError(
            f"The schema odyssey_sync has version {version}, which is newer than this program knows ({len(UPGRADES)}).",
            hint="Use the newer version of this project.",
        )
    if version == len(UPGRADES):
        return
    if version == 0:
        execute(connection, "CREATE SCHEMA IF NOT EXISTS odyssey_sync")
        execute(connection, "CREATE TABLE odyssey_sync.version (number integer NOT NULL)")
        execute(connection, "INSERT INTO odyssey_sync.version VALUES (0)")
    for statements in UPGRADES[version:]:
        for statement in statements:
            execute(connection, statement)
    execute(connection, f"UPDATE odyssey_sync.version SET number = {len(UPGRADES)}")


def bookkeeping_version(connection: Connection) -> int:
    """The version found; 0 where there is no bookkeeping yet."""
    (there,) = query(connection, "SELECT to_regclass('odyssey_sync.version') IS NOT NULL AS is_there")
    if not there["is_there"]:
        return 0
    (row,) = query(connection, "SELECT number FROM odyssey_sync.version")
    return int(str(row["number"]))
