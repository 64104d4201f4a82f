"""One SQLite file and one PostgreSQL database that were published once, to be edited and synced again.

Belongs here: making the pair, editing the source, syncing it as an ordinary role. Does not belong here: what a test
expects beyond equality.
"""

import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from odyssey_assets.progress import OnProgress
from odyssey_assets.sync.outcome import Outcome, TableOutcome
from odyssey_assets.sync.run import run
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.plain_source import tables_of, write_database
from odyssey_assets_tests.sync.ordinary_role import as_role, ensure_ordinary_role, owned_database
from odyssey_assets_tests.sync.requests import ALL_TABLES, request_for

ROWS = 4

FIRST_EDITS = (
    """UPDATE "User" SET "currentVillageId" = 'Village-1' WHERE "id" < 'User-3'""",
    """UPDATE "Feedback" SET "featureId" = 'Feature-1', "villageId" = 'Village-1'""",
    """UPDATE "Feedback" SET "duplicateOfId" = 'Feedback-1' WHERE "id" = 'Feedback-0'""",
    """UPDATE "Feedback" SET "duplicateOfId" = "id" WHERE "id" = 'Feedback-2'""",
    """UPDATE "CollaborationComment" SET "parentId" = CASE "id"
        WHEN 'CollaborationComment-0' THEN 'CollaborationComment-1'
        WHEN 'CollaborationComment-1' THEN 'CollaborationComment-2'
        WHEN 'CollaborationComment-2' THEN 'CollaborationComment-0' END""",
    """UPDATE "Session" SET "panelId" = 'Panel-1'""",
    """UPDATE "Event" SET "userId" = 'User-1'""",
)
"""References the sound rows leave out: forward, to the row itself, in a ring, and to parents that may vanish."""

Places = dict[tuple[str, str], tuple[str, str]]


@dataclass(frozen=True)
class DualRun:
    """The two sides; ``uri`` is the superuser's, syncs go by the role that owns the tables.

    ``tables`` is what a sync publishes that is not told otherwise: a few where a test is not about all of them.
    """

    folder: Path
    source: Path
    uri: str
    schema: str = "public"
    tables: frozenset[str] = ALL_TABLES

    def change(self, *statements: str, enforced: bool = True) -> None:
        """Edit SQLite in one transaction, foreign keys enforced as Prisma does, and in any case whole at the end."""
        with closing(sqlite3.connect(self.source, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA foreign_keys = {'ON' if enforced else 'OFF'}")
            connection.execute("BEGIN")
            for statement in statements:
                connection.execute(statement)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            connection.execute("COMMIT")

    def sync(self, on_progress: OnProgress = lambda _: None, **options: Any) -> Outcome:
        uri = as_role(self.uri, schema=self.schema)
        asked = {"publish": self.tables, "applies_changes": True} | options
        return run(request_for(self.folder, self.source, uri, **asked), on_progress)

    def converge(self, **options: Any) -> dict[str, TableOutcome]:
        """Sync, and let the oracle judge; rows that did not change stay where they are. Returns the tables synced."""
        before = places(self.uri, self.schema)
        outcome = self.sync(**options)
        assert (outcome.problem, self.differences()) == (None, [])
        assert rewritten(before, places(self.uri, self.schema)) == []
        return {table.name: table for table in outcome.tables if table.inserted + table.updated + table.deleted}

    def forget_snapshots(self) -> None:
        """Let the next sync read every table in full."""
        shutil.rmtree(self.folder / "snapshots")

    def differences(self) -> list[str]:
        return differences(self.source, self.uri, schema=self.schema)


@dataclass(frozen=True)
class Template:
    """A published pair, to be copied."""

    source: Path
    database: str
    server: EmbeddedServer


@contextmanager
def published_template(server: EmbeddedServer, folder: Path) -> Iterator[Template]:
    """Every table with a few sound rows, in step on both sides, in tables of the ordinary role's."""
    ensure_ordinary_role(server)
    source = write_database(folder / "odyssey.db", rows=ROWS)
    with owned_database(server) as uri:
        pair = DualRun(folder, source, uri)
        pair.change(*FIRST_EDITS)
        assert pair.sync().problem is None
        assert pair.differences() == []
        yield Template(source, urlsplit(uri).path.strip("/"), server)


@contextmanager
def copied(template: Template, folder: Path) -> Iterator[DualRun]:
    """A pair of the test's own, with the snapshot it was published from: syncs go the quick way where there is one."""
    source = Path(shutil.copy(template.source, folder / "odyssey.db"))
    shutil.copytree(template.source.parent / "snapshots", folder / "snapshots")
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(template.server.uri_of("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template.database}"')
        try:
            yield DualRun(folder, source, template.server.uri_of(name))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def places(uri: str, schema: str = "public") -> Places:
    """Where each row is and which transaction wrote it, by its table and content."""
    parts = [
        f"""SELECT '{table}', live::text, ctid::text, xmin::text FROM "{schema}"."{table}" live"""
        for table in tables_of()
    ]
    with psycopg.connect(uri) as connection:
        found = connection.execute(" UNION ALL ".join(parts)).fetchall()
    return {(table, row): (place, writer) for table, row, place, writer in found}


def rewritten(before: Places, after: Places) -> list[tuple[str, str]]:
    """Rows that were and are, and yet were written again."""
    return [row for row, place in before.items() if row in after and after[row] != place]
