"""SQLite files for the tests of the source side.

Belongs here: making a file from statements and rows. Does not belong here: realistic data (see ``sample``).
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from odyssey_assets.model.identifiers import quoted


class Files:
    """Makes SQLite files in one folder, each under its own name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def with_statements(self, *statements: str, name: str = "odyssey.db") -> Path:
        path = self.folder / name
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)
        return path

    def with_rows(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]], name: str = "odyssey.db"
    ) -> Path:
        """``columns`` are definitions for CREATE TABLE, already quoted."""
        path = self.with_statements(f"CREATE TABLE {quoted(table)} ({', '.join(columns)})", name=name)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executemany(f"INSERT INTO {quoted(table)} VALUES ({', '.join('?' * len(columns))})", rows)
        return path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def nobody_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of other accounts cannot be looked into; and looking at all of them takes a while."""
    monkeypatch.setattr("odyssey_assets.source.sole_use.openers", lambda _: ())
