"""What a SQLite file really has: tables, columns, keys, as its own pragmas tell.

Belongs here: reading the catalog of a snapshot. Does not belong here: reading rows, or judging what is found.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.errors import ConfigurationError, IntegrityError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import KNOWN_TABLES, PRISMA_BOOKKEEPING, version_of
from odyssey_assets.source.snapshot import DAMAGE, open_snapshot


@dataclass(frozen=True)
class SourceColumn:
    """``declared_type`` decides SQLite's affinity, not what is stored."""

    name: str
    declared_type: str
    is_required: bool


@dataclass(frozen=True)
class SourceTable:
    """``has_rowid`` is False only for WITHOUT ROWID tables, which Prisma never makes.

    ``referring_columns`` have a foreign key.
    """

    name: str
    columns: tuple[SourceColumn, ...]
    primary_key: tuple[str, ...]
    has_rowid: bool
    referring_columns: frozenset[str] = frozenset()

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class SourceCatalog:
    """All application tables of one file and the model version they are nearest to.

    ``unfinished_migrations`` names Prisma migrations that began and neither finished nor were rolled back.
    ``identity`` is the random id Prisma gave the file's first migration: two databases of one application differ in
    it, copies of one database do not. None where Prisma keeps no migrations in the file.
    """

    tables: dict[str, SourceTable]
    version: int
    migrations: tuple[str, ...]
    unfinished_migrations: tuple[str, ...]
    identity: str | None = None


def inspect_source(snapshot: Path) -> SourceCatalog:
    """Read the catalog of a snapshot.

    Raises ConfigurationError when none of Odyssey's tables is there, IntegrityError when the file is damaged.
    """
    try:
        with open_snapshot(snapshot) as connection:
            names = [
                str(name)
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
                    "ORDER BY name"
                )
            ]
            tables = {name: _inspect_table(connection, name) for name in names if name != PRISMA_BOOKKEEPING}
            identity, migrations, unfinished = (
                _migrations(connection) if PRISMA_BOOKKEEPING in names else (None, (), ())
            )
    except DAMAGE as error:
        raise IntegrityError(
            f"The SQLite file is damaged: {error}.", hint="Restore it from a backup before migrating."
        ) from error
    if not KNOWN_TABLES & tables.keys():
        raise ConfigurationError(
            "The SQLite file has none of Odyssey's tables, so it is not Odyssey's database.",
            hint="Check --sqlite or ODYSSEY_SQLITE_PATH.",
        )
    version = version_of(
        {name: frozenset(table.column_names) for name, table in tables.items()},
        {name: table.referring_columns for name, table in tables.items()},
    )
    return SourceCatalog(tables, version, migrations, unfinished, identity)


def count_rows(snapshot: Path, source: SourceCatalog) -> int:
    """Rows of all tables together."""
    with open_snapshot(snapshot) as connection:
        return sum(
            int(connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0]) for name in source.tables
        )


def _inspect_table(connection: sqlite3.Connection, name: str) -> SourceTable:
    columns = connection.execute(
        'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid', (name,)
    ).fetchall()
    without_rowid = connection.execute("SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", (name,))
    referring = connection.execute('SELECT "from" FROM pragma_foreign_key_list(?)', (name,))
    return SourceTable(
        name,
        tuple(SourceColumn(str(column), str(type_), bool(required)) for column, type_, required, _ in columns),
        tuple(str(column) for column, _, _, position in sorted(columns, key=lambda row: int(row[3])) if position),
        has_rowid=not without_rowid.fetchone()[0],
        referring_columns=frozenset(str(column) for (column,) in referring),
    )


def _migrations(connection: sqlite3.Connection) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """The identity, the finished and the unfinished migrations."""
    rows = connection.execute(
        f"SELECT id, migration_name, finished_at, rolled_back_at FROM {PRISMA_BOOKKEEPING} "
        "ORDER BY started_at, migration_name"
    ).fetchall()
    finished = tuple(str(name) for _, name, finished_at, _ in rows if finished_at is not None)
    unfinished = tuple(
        str(name) for _, name, finished_at, rolled_back_at in rows if finished_at is None and rolled_back_at is None
    )
    return (str(rows[0][0]) if rows else None), finished, unfinished
