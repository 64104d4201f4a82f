"""The sample file: a SQLite database as Prisma would have left it, at any size, in any of the five versions.

Belongs here: creating, filling and publishing the file. Does not belong here: what stands in the rows (``rows``).
"""

import math
import secrets
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Table

from odyssey_assets.errors import ConfigurationError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import ALL_VERSIONS, NEWEST_VERSION, PRISMA_BOOKKEEPING, tables_in_order
from odyssey_assets.sample.dates import LAST_MOMENT, DateForm
from odyssey_assets.sample.rows import rows_of
from odyssey_assets.sample.world import World, row_counts
from odyssey_assets.source.ddl import create_indexes_sql, create_table_sql

__all__ = ["DateForm", "SampleSummary", "write_sample"]

BOOKKEEPING_SQL = f"""CREATE TABLE {quoted(PRISMA_BOOKKEEPING)} (
    "id"                    TEXT PRIMARY KEY NOT NULL,
    "checksum"              TEXT NOT NULL,
    "finished_at"           DATETIME,
    "migration_name"        TEXT NOT NULL,
    "logs"                  TEXT,
    "rolled_back_at"        DATETIME,
    "started_at"            DATETIME NOT NULL DEFAULT current_timestamp,
    "applied_steps_count"   INTEGER UNSIGNED NOT NULL DEFAULT 0
)"""

CACHE_KIBIBYTES = 64 * 1024
"""Page cache while writing; index builds sort in it too."""


@dataclass(frozen=True)
class SampleSummary:
    """What was written: rows by table (Prisma's bookkeeping left out), size of the file, time it took."""

    path: Path
    rows_by_table: Mapping[str, int]
    total_rows: int
    bytes: int
    seconds: float


def write_sample(
    path: Path,
    *,
    scale: float = 1.0,
    version: int = NEWEST_VERSION,
    dates: DateForm = DateForm.INTEGER,
    seed: int = 1,
) -> SampleSummary:
    """Write a realistic Odyssey database of about 1,750 rows times ``scale``; the same rows for the same arguments.

    Missing folders are made. Raises ConfigurationError if ``path`` exists already or cannot be written, or if
    ``scale``, ``version`` or ``seed`` make no sense; nothing is left behind then.
    """
    _check_arguments(scale, version, seed)
    _refuse_existing(path)
    started = time.monotonic()
    world = World(seed=seed, counts=row_counts(version, scale))
    _make_folder(path.parent)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
            _write_database(connection, tables_in_order(version), world, dates)
        size_bytes = unfinished.stat().st_size
        _refuse_existing(path)
        unfinished.rename(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise ConfigurationError(
            f"The sample could not be written to {path}: {error}.", hint="Name a file in a folder that has the room."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return SampleSummary(
        path=path,
        rows_by_table=world.counts,
        total_rows=sum(world.counts.values()),
        bytes=size_bytes,
        seconds=time.monotonic() - started,
    )


def _check_arguments(scale: float, version: int, seed: int) -> None:
    if not (math.isfinite(scale) and scale > 0):
        raise ConfigurationError(f"The scale of a sample must be a number above zero, not {scale}.")
    if version not in ALL_VERSIONS:
        raise ConfigurationError(
            f"There is no version {version} of the application's schema.", hint="The versions are 1 to 5."
        )
    if seed < 0:
        raise ConfigurationError(f"The seed of a sample must be zero or more, not {seed}.")


def _refuse_existing(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise ConfigurationError(
            f"{path} exists already, and a sample never replaces a file.", hint="Name a new file, or remove this one."
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {folder} cannot be made: {error.strerror}.", hint="Name a file in a folder that can be used."
        ) from error


def _write_database(connection: sqlite3.Connection, tables: tuple[Table, ...], world: World, dates: DateForm) -> None:
    # Nobody sees the file before it is whole, so it needs neither a journal nor waiting for the disk.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    connection.execute("BEGIN")
    _write_bookkeeping(connection)
    for table in tables:
        connection.execute(create_table_sql(table))
        insert = f"INSERT INTO {quoted(table.name)} VALUES ({', '.join('?' * len(table.columns))})"
        for rows in rows_of(table, world, dates):
            connection.executemany(insert, rows)
        # After the rows: an index that is sorted once is faster to build and smaller.
        for statement in create_indexes_sql(table):
            connection.execute(statement)
    connection.execute("COMMIT")


def _write_bookkeeping(connection: sqlite3.Connection) -> None:
    connection.execute(BOOKKEEPING_SQL)
    finished_ms = int(LAST_MOMENT.astype(int))
    connection.execute(
        f"INSERT INTO {quoted(PRISMA_BOOKKEEPING)} VALUES (?, ?, ?, ?, NULL, NULL, ?, 1)",
        (
            "aefdbb4e-0aba-4ebe-8b82-5b2ef8c93e9d",
            "2285e1fea808ca6785c1523a4a768a1e31e18a8cb7440d46ebf4a809fb9d5d6e",
            finished_ms,
            "20251002152427_init",
            finished_ms - 158,
        ),
    )
