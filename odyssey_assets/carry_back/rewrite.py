"""Writing what differs into the copy of the base, in one transaction, row by row and cell by cell.

A row that changes is taken out, given its new cells where nothing is unique, and put back under its rowid, after all
rows that go are gone: so values may change hands, and cells that did not change keep their bytes. Nothing fires:
foreign keys are off, and triggers are taken away and made again as they were, but for those of this project's own seal,
which was put on the old file and is not for the new one.

Belongs here: writing. Does not belong here: finding what differs (``changes``), or proving the result (``proof``).
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from odyssey_assets.carry_back.changes import DIFFERS, ROWID, WRITTEN, PlacedChanges, TableChange, placed_changes
from odyssey_assets.carry_back.stored_values import DateForm, stored_values
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind
from odyssey_assets.source.fence import SEAL_PREFIX
from odyssey_assets.target.table_locks import LockedTarget

CACHE_KIBIBYTES = 64 * 1024
_MOVED = "odyssey_moved"

Forms = Mapping[str, Mapping[str, DateForm]]


def rewrite(
    file: Path,
    changes: Sequence[TableChange],
    forms: Forms,
    target: LockedTarget,
    *,
    allowed: frozenset[str],
    scratch: Path,
) -> None:
    """Apply the changes. Raises IntegrityError where a constraint of the application's own schema refuses a row."""
    with _writable(file) as connection:
        connection.execute("BEGIN IMMEDIATE")
        triggers = _without_triggers(connection)
        for change in changes:
            with placed_changes(change, target, allowed, scratch) as placed, _constraints_named(change.table):
                _rewrite_table(connection, change, placed, forms.get(change.table.name, {}))
        for sql in triggers:
            connection.execute(sql)
        connection.execute("COMMIT")


@contextmanager
def _writable(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection in the file's own journal mode, which its header keeps, leaving nothing beside the file."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("foreign_keys = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KIBIBYTES}"):
            connection.execute(f"PRAGMA {pragma}")
        (journal_mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if journal_mode != "wal":
            # Of a file that is thrown away after a failure nothing needs to be taken back on disk.
            connection.execute("PRAGMA journal_mode = MEMORY")
        yield connection
        if journal_mode == "wal":
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _without_triggers(connection: sqlite3.Connection) -> list[str]:
    """Drop every trigger; returns how to make the application's own again."""
    found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid").fetchall()
    for name, _ in found:
        connection.execute(f"DROP TRIGGER {quoted(name)}")
    return [sql for name, sql in found if not name.startswith(SEAL_PREFIX)]


def _rewrite_table(
    connection: sqlite3.Connection, change: TableChange, placed: PlacedChanges, forms: Mapping[str, DateForm]
) -> None:
    name, comparison = quoted(change.table.name), change.comparison
    columns = [
        quoted(column)
        for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (change.table.name,))
    ]
    listed = ", ".join(columns)
    # Without types, so that no affinity turns a value into another.
    connection.execute(f"CREATE TEMP TABLE {_MOVED} ({quoted(ROWID)} INTEGER PRIMARY KEY, {listed})")
    for batch in placed.changed():
        _take_out(connection, change.table, batch, listed, forms)
    for rowids in placed.removed_rowids():
        connection.executemany(f"DELETE FROM {name} WHERE rowid = ?", ((rowid,) for rowid in rowids))
    connection.execute(f"DELETE FROM {name} WHERE rowid IN (SELECT {quoted(ROWID)} FROM {_MOVED})")
    gone = connection.execute(f"SELECT {comparison.source_rows} - count(*) FROM {name}").fetchone()[0] + len(
        change.held if change.held is not None else ()
    )
    connection.execute(
        f"INSERT INTO {name} (rowid, {listed}) SELECT {quoted(ROWID)}, {listed} FROM {_MOVED} ORDER BY 1"
    )
    for batch in placed.added():
        _add(connection, change.table, batch, forms)
    connection.execute(f"DROP TABLE {_MOVED}")
    if gone != comparison.missing_rows + comparison.changed_rows:
        raise IntegrityError(
            f"Not every row of {change.table.name} that differs could be taken out of the SQLite file.",
            hint="This is a fault of this project; report it. No new file was written.",
            table=change.table.name,
        )


def _take_out(
    connection: sqlite3.Connection,
    table: CarriedTable,
    batch: pa.RecordBatch,
    listed: str,
    forms: Mapping[str, DateForm],
) -> None:
    rowids = batch.column(ROWID)
    connection.executemany(
        f"INSERT INTO {_MOVED} SELECT rowid, {listed} FROM {quoted(table.name)} WHERE rowid = ?",
        ((rowid,) for rowid in rowids.to_pylist()),
    )
    for column in table.columns:
        differs = batch.column(f"{DIFFERS}{column.name}")
        if pc.any(differs).as_py():
            values = _values(column.name, column.kind, batch.filter(differs), forms)
            places = rowids.filter(differs).to_pylist()
            connection.executemany(
                f"UPDATE {_MOVED} SET {quoted(column.name)} = ? WHERE {quoted(ROWID)} = ?",
                zip(values, places, strict=True),
            )


def _add(
    connection: sqlite3.Connection, table: CarriedTable, batch: pa.RecordBatch, forms: Mapping[str, DateForm]
) -> None:
    values = [_values(column.name, column.kind, batch, forms) for column in table.columns]
    names, places = ", ".join(map(quoted, table.column_names)), ", ".join("?" * len(values))
    connection.executemany(f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({places})", zip(*values, strict=True))


def _values(name: str, kind: Kind, batch: pa.RecordBatch, forms: Mapping[str, DateForm]) -> list[object]:
    return stored_values(kind, batch.column(f"{WRITTEN}{name}"), forms.get(name, DateForm.INTEGER))


@contextmanager
def _constraints_named(table: CarriedTable) -> Iterator[None]:
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError) as error:
        raise IntegrityError(
            f"A row of {table.name} that PostgreSQL holds cannot stand in the SQLite file: {error}.",
            hint="A row that was held back may hold the same value, see odyssey_sync.quarantine; mend either. No new "
            "file was written.",
            table=table.name,
        ) from error
