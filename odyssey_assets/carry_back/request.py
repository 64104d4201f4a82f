"""What a carry-back is asked for, and what came of it.

Belongs here: the shapes. Does not belong here: doing it (``run``), or what is done with the new file (the caller).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.source.soundness import BrokenReference
from odyssey_assets.target.connection import LOCK_TIMEOUT_SECONDS, query
from odyssey_assets.target.url import TargetUrl


@dataclass(frozen=True)
class CarryBackRequest:
    """``base`` is a finished copy of the application's SQLite file, whose rows that did not change stay as they are.

    ``allowed_losses`` names what may be lost because the base has no place for it, as ``Table`` or ``Table.column``;
    of a column that the base has, it lets values become what SQLite can hold of them (whole milliseconds, 0.0 for
    -0.0).
    """

    target: TargetUrl
    base: Path
    new_file: Path
    scratch_dir: Path
    allowed_losses: frozenset[str] = frozenset()
    lock_timeout_seconds: int = LOCK_TIMEOUT_SECONDS


@dataclass(frozen=True)
class TableCarriedBack:
    """One table of the new file.

    ``rows`` are those PostgreSQL has too, ``held_rows`` the ones in quarantine, which never left SQLite;
    ``differences`` is what the proof found.
    """

    name: str
    rows: int
    held_rows: int
    inserted: int
    updated: int
    deleted: int
    differences: int


@dataclass(frozen=True)
class CarriedBack:
    """The new file, proven equal, while PostgreSQL's writers are still kept out.

    ``stayed`` are tables that are as the base has them, since PostgreSQL has no counterpart that is carried.
    ``broken_references`` belong to held rows. ``connection`` is the transaction that holds the locks: what the caller
    writes in it is lost unless the caller commits it, and with the commit the writers come in.
    """

    new_file: Path
    sha256: str
    bytes: int
    tables: tuple[TableCarriedBack, ...]
    stayed: tuple[str, ...]
    broken_references: tuple[BrokenReference, ...]
    seconds: Mapping[str, float]
    connection: Connection = field(repr=False, compare=False)

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def differences(self) -> int:
        return sum(table.differences for table in self.tables)

    def document(self) -> dict[str, object]:
        """The proof as JSON takes it."""
        return {
            "new_file": str(self.new_file),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "rows": self.rows,
            "differences": self.differences,
            "tables": [asdict(table) for table in self.tables],
            "stayed": list(self.stayed),
            "broken_references": [asdict(broken) for broken in self.broken_references],
            "seconds": {str(phase): round(seconds, 3) for phase, seconds in self.seconds.items()},
        }

    def require_locks_held(self) -> None:
        """Ask the server, which answers with an error where the transaction, and so its locks, are gone."""
        query(self.connection, "SELECT 1 AS one")
