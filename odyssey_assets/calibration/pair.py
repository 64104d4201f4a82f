"""The clean pair that faults are planted in: a sample file, and databases that were published from it by the engine.

Belongs here: making, copying and removing them. Does not belong here: faults.
"""

import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.schema import parents_of, tables_in_order
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.outcome import Outcome, Policy, Request
from odyssey_assets.sync.run import run
from odyssey_assets.target.scratch_database import scratch_database
from odyssey_assets.target.url import parse_target_url

ALL_TABLES = frozenset(table.name for table in tables_in_order())
_NONE: frozenset[str] = frozenset()

_EDITS = (
    """UPDATE "Feedback" SET "title" = 'Cafe' || char(769) || ' ' || "title", "spamScore" = 0.0, "body" = "body" || '.'
       WHERE rowid = 1""",
    """UPDATE "EmailLog" SET "messageId" = NULL WHERE rowid = 1""",
    """UPDATE "Event" SET "payload" = '{"channel":"in-app","locale":"fr"}' WHERE rowid = 1""",
    """UPDATE "Feature" SET "title" = 'Check-in' WHERE rowid = 1""",
)
"""Cells that a sample may lack and a fault needs: letters in two parts, a zero, a NULL, a document with text in it."""


@dataclass(frozen=True)
class Pair:
    """``uri`` is the published database; ``folder`` keeps the snapshot it was published from.

    Runs are about ``tables``. Where there are ``bystanders``, the trial of a fault is about its own table, those, and
    what they refer to.
    """

    source: Path
    folder: Path
    uri: str
    tables: frozenset[str] = ALL_TABLES
    bystanders: frozenset[str] | None = None

    def about(self, table: str) -> "Pair":
        """For a fault in one table."""
        if self.bystanders is None:
            return self
        found: frozenset[str] = _NONE
        wanted = self.bystanders | {table}
        while wanted != found:
            found = wanted
            wanted = found.union(*(parents_of(each) for each in tables_in_order() if each.name in found))
        return replace(self, tables=found)

    def verify(self, uri: str) -> Outcome:
        """Every check of its tables in one database, changing nothing."""
        return run(self._request(uri, publish=_NONE, verify=self.tables))

    def migrate(self, uri: str, *, policy: Policy = Policy.STOP) -> Outcome:
        """The initial load into an empty database."""
        return run(replace(self._request(uri, publish=self.tables, verify=_NONE), policy=policy))

    def sync(self, uri: str) -> Outcome:
        """A re-sync of a database that was published before."""
        return run(replace(self._request(uri, publish=self.tables, verify=_NONE), applies_changes=True))

    def edited(self, folder: Path, *statements: str) -> "Pair":
        """The same target, with a source that moved on; snapshots stay at hand."""
        source = Path(shutil.copy(self.source, folder / f"edited-{uuid.uuid4().hex[:12]}.db"))
        _edit(source, statements)
        return replace(self, source=source)

    def apart(self, folder: Path) -> "Pair":
        """The same source with a folder of its own, so that its snapshots do not push the published one out."""
        return replace(self, folder=folder)

    def _request(self, uri: str, *, publish: frozenset[str], verify: frozenset[str]) -> Request:
        return Request(
            self.source, parse_target_url(uri), self.folder / "snapshots", self.folder / "scratch", publish, verify
        )


@contextmanager
def clean_pair(admin_uri: str, folder: Path, scale: float) -> Iterator[Pair]:
    """Write a sample and publish it into a database of its own. Raises IntegrityError where that does not succeed."""
    source = write_sample(folder / "calibration.db", scale=scale).path
    _edit(source, _EDITS)
    with scratch_database(admin_uri) as uri:
        pair = Pair(source, folder, uri)
        outcome = pair.migrate(uri)
        if outcome.problem is not None:
            raise IntegrityError(outcome.problem, hint=outcome.hint)
        yield pair


def _edit(source: Path, statements: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(source)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
