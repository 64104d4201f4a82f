"""Whatever happens in SQLite, and whatever is done to PostgreSQL meanwhile, the next sync ends with both equal.

A seed makes an episode: random edits of a small database, now and then a sync, judged by the oracle. Every failure
names its seed and can be had again by it. docs/reliability.md has the command for thousands of edits.
"""

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.errors import IntegrityError, OdysseyError, RefusedError
from odyssey_assets.sync.outcome import Outcome, TableStatus
from odyssey_assets.sync.run import run
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.end_to_end.edited_databases import Sqlite, new_source, tampering
from odyssey_assets_tests.end_to_end.random_edits import edit_postgres, edit_sqlite
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.plain_source import tables_of
from odyssey_assets_tests.statements import run_postgres
from odyssey_assets_tests.sync.dual_run import places, rewritten
from odyssey_assets_tests.sync.ordinary_role import as_role, ensure_ordinary_role, owned_database
from odyssey_assets_tests.sync.requests import ALL_TABLES, request_for

EPISODES = int(os.environ.get("ODYSSEY_RESYNC_EPISODES", "2"))
FIRST_SEED = int(os.environ.get("ODYSSEY_RESYNC_FIRST_SEED", "1"))
ROUNDS = 10
"""Of each episode, each of one to seven edits and a sync."""
ANY_NUMBER = dict.fromkeys(ALL_TABLES, 10**9)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + EPISODES))
def test_every_sync_converges(tmp_path: Path, server: EmbeddedServer, seed: int) -> None:
    chance = random.Random(seed)
    schema = "Other schema" if seed % 4 == 0 else "public"
    ensure_ordinary_role(server)
    with (
        new_source(tmp_path / "odyssey.db") as source,
        owned_database(server, schema=schema) as uri,
        tampering(uri, schema) as intruder,
    ):
        episode = Episode(tmp_path, source, uri, schema)
        episode.edit(chance, 25)
        for _ in range(ROUNDS):
            episode.edit(chance, chance.randrange(1, 8))
            for _ in range(chance.choice([0, 0, 1, 3])):
                edit_postgres(chance, intruder)
            if chance.random() < 0.2:
                episode.forget(chance)
            if chance.random() < 0.15:
                episode.sync_some(frozenset(chance.sample(sorted(ALL_TABLES), chance.randrange(1, 37))))
            episode.sync()
        episode.sync_again()


class Episode:
    """One source and one target, and what every sync of the two must keep to."""

    def __init__(self, folder: Path, source: Sqlite, uri: str, schema: str) -> None:
        self.folder, self.source, self.uri, self.schema = folder, source, uri, schema
        self.synced = 0

    def edit(self, chance: random.Random, number: int) -> None:
        """So many edits that had something to edit and broke no constraint."""
        while number:
            number -= edit_sqlite(chance, self.source) is not None

    def forget(self, chance: random.Random) -> None:
        """Lose what makes a sync quick: the old snapshots, and at times the ledger as well."""
        shutil.rmtree(self.folder / "snapshots", ignore_errors=True)
        if chance.random() < 0.3:
            run_postgres(self.uri, "DROP SCHEMA IF EXISTS odyssey_sync CASCADE")

    def sync(self) -> None:
        before = places(self.uri, self.schema)
        outcome = self.run()
        assert outcome.ok, (outcome.problem, self.since_last_sync())
        assert differences(self.source_path, self.uri, schema=self.schema) == [], self.since_last_sync()
        after = places(self.uri, self.schema)
        assert rewritten(before, after) == [], self.since_last_sync()
        self.synced = len(self.source.journal)

    def sync_again(self) -> None:
        outcome = self.run()
        assert {table.status for table in outcome.tables} == {TableStatus.UNCHANGED}

    def sync_some(self, tables: frozenset[str]) -> None:
        """These tables end equal and no other is touched, or nothing is touched and a sentence says why."""
        before = dump(self.uri)
        try:
            outcome = self.run(publish=tables)
        except (RefusedError, IntegrityError):
            assert dump(self.uri) == before
            return
        assert outcome.ok, (tables, outcome.problem, self.since_last_sync())
        after = dump(self.uri)
        prefix = "" if self.schema == "public" else f"{self.schema}."
        touched = {name for name in tables_of() if after[prefix + name] != before[prefix + name]}
        assert touched <= tables, self.since_last_sync()
        found = differences(self.source_path, self.uri, schema=self.schema, limit=10**6)
        assert [each for each in found if each.startswith(tuple(f"{name}(" for name in tables))] == []

    def run(self, **options: Any) -> Outcome:
        uri = as_role(self.uri, schema=self.schema)
        request = request_for(
            self.folder, self.source_path, uri, applies_changes=True, allowed_deletes=ANY_NUMBER, **options
        )
        try:
            return run(request)
        except OdysseyError as error:
            error.add_note(f"edits since the last sync: {self.since_last_sync()}")
            raise

    @property
    def source_path(self) -> Path:
        return self.folder / "odyssey.db"

    def since_last_sync(self) -> list[tuple[str, tuple[Any, ...]]]:
        return self.source.journal[self.synced :]
