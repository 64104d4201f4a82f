"""Whatever happens in SQLite, and whatever is done to PostgreSQL meanwhile, the next sync ends with both equal.

Hypothesis plays the application, an intruder and bad luck in any order, with syncs in between, judged by the oracle; of
a failure it shows the shortest story it finds. docs/reliability.md has the command for thousands of edits.
"""

import os
import random
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

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
STEPS = int(os.environ.get("ODYSSEY_RESYNC_STEPS", "20"))
"""Of each episode; a step is one to seven edits, an intrusion, a mishap or a sync."""
ANY_NUMBER = dict.fromkeys(ALL_TABLES, 10**9)

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.slow
@pytest.mark.timeout(300 + 5 * EPISODES * STEPS)
def test_every_sync_converges(tmp_path_factory: pytest.TempPathFactory, server: EmbeddedServer) -> None:
    ensure_ordinary_role(server)
    run_state_machine_as_test(
        # A function serves as well as a class, and knows the server.
        lambda: DualRunStory(server, tmp_path_factory.mktemp("episode")),  # type: ignore[arg-type]
        settings=settings(
            max_examples=EPISODES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


class DualRunStory(RuleBasedStateMachine):
    """One source and one target, to which anything may happen in any order."""

    def __init__(self, server: EmbeddedServer, folder: Path) -> None:
        super().__init__()
        self.server, self.folder, self.open = server, folder, ExitStack()

    @initialize(seed=SEEDS, schema=st.sampled_from(["public", "public", "Other schema"]))
    def begin(self, seed: int, schema: str) -> None:
        source = self.open.enter_context(new_source(self.folder / "odyssey.db"))
        uri = self.open.enter_context(owned_database(self.server, schema=schema))
        self.intruder = self.open.enter_context(tampering(uri, schema))
        self.episode = Episode(self.folder, source, uri, schema)
        self.episode.edit(random.Random(seed), 25)

    @rule(seed=SEEDS, number=st.integers(1, 7))
    def edit(self, seed: int, number: int) -> None:
        self.episode.edit(random.Random(seed), number)

    @rule(seed=SEEDS)
    def intrude(self, seed: int) -> None:
        edit_postgres(random.Random(seed), self.intruder)

    @rule(is_whole=st.booleans())
    def forget(self, is_whole: bool) -> None:
        self.episode.forget(is_whole=is_whole)

    @rule(tables=st.frozensets(st.sampled_from(sorted(ALL_TABLES)), min_size=1))
    def sync_some(self, tables: frozenset[str]) -> None:
        self.episode.sync_some(tables)

    @rule()
    def sync(self) -> None:
        self.episode.sync()

    def teardown(self) -> None:
        with self.open:
            if hasattr(self, "episode"):
                self.episode.sync()
                self.episode.sync_again()


class Episode:
    """One source and one target, and what every sync of the two must keep to."""

    def __init__(self, folder: Path, source: Sqlite, uri: str, schema: str) -> None:
        self.folder, self.source, self.uri, self.schema = folder, source, uri, schema
        self.synced = 0

    def edit(self, chance: random.Random, number: int) -> None:
        """So many edits that had something to edit and broke no constraint."""
        while number:
            number -= edit_sqlite(chance, self.source) is not None

    def forget(self, *, is_whole: bool) -> None:
        """Lose what makes a sync quick: the old snapshots, or the ledger as well."""
        shutil.rmtree(self.folder / "snapshots", ignore_errors=True)
        if is_whole:
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
