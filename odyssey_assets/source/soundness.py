"""Whether a snapshot is sound by SQLite's own judgement.

Belongs here: SQLite's checks and their objections in words. Does not belong here: anything PostgreSQL would object to.
"""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.source.snapshot import DAMAGE, open_snapshot

_SHOWN = 5


@dataclass(frozen=True)
class BrokenReference:
    """A row whose foreign key points nowhere; ``rowid`` is None in tables without one."""

    table: str
    rowid: int | None
    parent: str
    foreign_key_index: int


def require_sound(snapshot: Path) -> None:
    """Raise IntegrityError where quick_check or foreign_key_check objects to the snapshot."""
    _require_nothing(quick_check(snapshot), lambda: foreign_key_check(snapshot))


def require_whole(snapshot: Path) -> None:
    """The same with integrity_check, which also finds an index that disagrees with its table."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="foreign keys") as side:
        broken = side.submit(foreign_key_check, snapshot)
        damage = integrity_check(snapshot)
    _require_nothing(damage, broken.result)


def _require_nothing(damage: tuple[str, ...], find_broken: Callable[[], tuple[BrokenReference, ...]]) -> None:
    """Of a damaged file nobody asks for its references, which may not even be found."""
    if damage:
        raise IntegrityError(
            f"The SQLite file is damaged: {'; '.join(damage[:_SHOWN])}.",
            hint="Restore it from a backup, or recover it with the sqlite3 shell's .recover; nothing was changed.",
        )
    broken = find_broken()
    if broken:
        first = broken[0]
        shown = "; ".join(map(_sentence, broken[:_SHOWN]))
        more = f" ... and {len(broken) - _SHOWN:,} more" if len(broken) > _SHOWN else ""
        raise IntegrityError(
            f"The SQLite file breaks its own foreign keys: {shown}{more}.",
            hint="Run odyssey preflight for the keys of these rows, and mend them in SQLite; nothing was changed.",
            table=first.table,
        )


def _sentence(broken: BrokenReference) -> str:
    row = f"a row of {broken.table}" if broken.rowid is None else f"{broken.table} row {broken.rowid}"
    return f"{row} refers to a missing {broken.parent}"


def quick_check(snapshot: Path) -> tuple[str, ...]:
    """What SQLite's quick_check objects to; empty when the file is sound."""
    return _objections(snapshot, "quick_check")


def integrity_check(snapshot: Path) -> tuple[str, ...]:
    """The same with every index held against its table, which takes ten times as long.

    Table by table in two threads, the largest first, beside quick_check, which alone accounts for every page.
    """
    try:
        with open_snapshot(snapshot) as connection:
            tables = [str(name) for (name,) in connection.execute(_TABLES_WITH_INDEXES_SQL)]
            tables.sort(key=lambda name: _last_rowid(connection, name), reverse=True)
    except DAMAGE as error:
        return (str(error),)
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="integrity") as pool:
        parts = pool.map(lambda name: _objections(snapshot, f"integrity_check({quoted(name)})"), tables)
        return tuple(dict.fromkeys((*quick_check(snapshot), *chain.from_iterable(parts))))


_TABLES_WITH_INDEXES_SQL = "SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'index'"


def _last_rowid(connection: sqlite3.Connection, table: str) -> int:
    """About how large a table is; 0 where it has no rowids."""
    try:
        (last,) = connection.execute(f"SELECT max(rowid) FROM {quoted(table)}").fetchone()
    except sqlite3.OperationalError:
        return 0
    return last or 0


def _objections(snapshot: Path, check: str) -> tuple[str, ...]:
    try:
        with open_snapshot(snapshot) as connection:
            rows = connection.execute(f"PRAGMA {check}").fetchall()
    except DAMAGE as error:
        return (str(error),)
    return tuple(message for (message,) in rows if message != "ok")


def foreign_key_check(snapshot: Path) -> tuple[BrokenReference, ...]:
    """Rows that SQLite itself finds to break its foreign keys (integrity_check does not look at them)."""
    with open_snapshot(snapshot) as connection:
        rows = connection.execute("PRAGMA foreign_key_check").fetchall()
    return tuple(BrokenReference(*row) for row in rows)
