"""One PostgreSQL database and the snapshot it was published from, to be edited and carried back.

Belongs here: doing it, and looking at SQLite files byte by byte. Does not belong here: what a test expects.
"""

import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.carry_back.request import CarriedBack, CarryBackRequest
from odyssey_assets.carry_back.run import carry_back
from odyssey_assets.errors import OdysseyError
from odyssey_assets.sync.run import run
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.plain_source import quoted
from odyssey_assets_tests.statements import run_postgres
from odyssey_assets_tests.sync.requests import request_for

Cell = tuple[str, bytes | int | float | None]


@dataclass(frozen=True)
class WayBack:
    """``uri`` is the superuser's, ``role_uri`` the one the way back goes by; snapshots are in ``folder``."""

    folder: Path
    uri: str
    role_uri: str

    @property
    def base(self) -> Path:
        """The snapshot that was published last."""
        return max((self.folder / "snapshots").glob("snapshot-*.db"))

    @property
    def new_file(self) -> Path:
        return self.folder / "back" / "odyssey.db"

    def edit(self, script: str) -> None:
        run_postgres(self.uri, script)

    def request(self, **options: Any) -> CarryBackRequest:
        return CarryBackRequest(
            **{
                "target": parse_target_url(self.role_uri),
                "base": self.base,
                "new_file": self.new_file,
                "scratch_dir": self.folder / "scratch",
                **options,
            }
        )

    def carry_back(self, **options: Any) -> CarriedBack:
        """Carry back and let the oracle judge; what did not change must be byte for byte what it was."""
        request = self.request(**options)
        before = files_of(self.folder)
        with carry_back(request) as carried:
            pass
        assert carried.differences == 0
        assert stat.S_IMODE(request.new_file.stat().st_mode) == 0o600
        assert files_of(self.folder) == before | {request.new_file}
        # Last, for it opens the file as a live one, with what SQLite puts beside it.
        assert differences(request.new_file, self.uri) == []
        return carried

    def refused(self, **options: Any) -> OdysseyError:
        """Why it is not carried back; nothing is left of the attempt."""
        request = self.request(**options)
        before = files_of(self.folder)
        with pytest.raises(OdysseyError) as refusal, carry_back(request):
            pass
        assert files_of(self.folder) == before
        return refusal.value


def published(folder: Path, source: Path, uri: str, **options: Any) -> WayBack:
    """Publish a source into an empty or prepared database."""
    outcome = run(request_for(folder, source, uri, **options))
    assert outcome.ok, outcome.problem
    return WayBack(folder, uri, uri)


def files_of(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def cells_of(path: Path, table: str) -> dict[int, dict[str, Cell]]:
    """Every cell with its storage class and bytes, by rowid."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        connection.text_factory = bytes
        names = [name.decode() for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        parts = ", ".join(f"typeof({quoted(name)}), {quoted(name)}" for name in names)
        rows = connection.execute(f"SELECT rowid, {parts} FROM {quoted(table)} NOT INDEXED").fetchall()
    return {
        row[0]: {name: (row[2 * at + 1].decode(), row[2 * at + 2]) for at, name in enumerate(names)} for row in rows
    }


def schema_of(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").fetchall()


def header_of(path: Path) -> tuple[bytes, bytes]:
    """Page size, and the two bytes that say whether the journal is a write-ahead log."""
    head = path.read_bytes()[:20]
    return head[16:18], head[18:20]
