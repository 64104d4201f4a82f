"""A week of dual run, played fast: ticks of the schedule, random edits on both sides, nights without any."""

import os
import random
import shutil
from pathlib import Path

import pytest

from odyssey_assets.source.fingerprint import fingerprint
from odyssey_assets.sync.observe import unchanged_since
from odyssey_assets.sync.run import run
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.end_to_end.edited_databases import new_source, tampering
from odyssey_assets_tests.end_to_end.random_edits import edit_postgres, edit_sqlite
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.statements import ask_postgres, run_postgres
from odyssey_assets_tests.sync.ordinary_role import as_role, ensure_ordinary_role, owned_database
from odyssey_assets_tests.sync.requests import ALL_TABLES, request_for

TICKS = int(os.environ.get("ODYSSEY_WEEK_TICKS", "60"))
"""One every fifteen minutes makes 672 a week."""
SEED = int(os.environ.get("ODYSSEY_WEEK_SEED", "1"))
TICKS_PER_DAY = 96
NIGHT_TICKS = 28
TICKS_BETWEEN_JUDGEMENTS = 10


@pytest.mark.slow
@pytest.mark.timeout(300 + 10 * TICKS)
def test_a_week_of_random_edits_on_both_sides_ends_equal(server: EmbeddedServer, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    path, synced, skipped = tmp_path / "odyssey.db", 0, 0
    ensure_ordinary_role(server)
    with (
        new_source(path) as source,
        owned_database(server) as uri,
        tampering(uri, "public") as intruder,
    ):
        request = request_for(
            tmp_path, path, as_role(uri), applies_changes=True, allowed_deletes=dict.fromkeys(ALL_TABLES, 10**9)
        )
        source.run("PRAGMA synchronous = OFF")
        for _ in range(30):
            edit_sqlite(chance, source)
        for tick in range(TICKS):
            if tick % TICKS_PER_DAY >= NIGHT_TICKS or not tick:
                for _ in range(chance.choice([0, 1, 3, 8])):
                    edit_sqlite(chance, source)
                if chance.random() < 0.15:
                    edit_postgres(chance, intruder)
                if chance.random() < 0.05:
                    _mishap(chance, tmp_path, uri)
            if chance.random() < 0.5:
                source.run(chance.choice(["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM"]))
            seen = fingerprint(path)
            if unchanged_since(request):
                skipped += 1
                assert fingerprint(path) == seen
            else:
                outcome = run(request)
                assert outcome.ok, outcome.problem
                synced += 1
            if tick % TICKS_BETWEEN_JUDGEMENTS == 0:
                assert differences(path, uri) == []
        assert differences(path, uri) == []
        ((publications,),) = ask_postgres(uri, "SELECT count(DISTINCT snapshot_id) FROM odyssey_sync.publication")
    assert publications <= synced
    assert synced > TICKS / 2
    assert skipped > 0
    assert len(list((tmp_path / "snapshots").iterdir())) < 10


def _mishap(chance: random.Random, folder: Path, uri: str) -> None:
    if chance.random() < 0.3:
        run_postgres(uri, "DROP SCHEMA IF EXISTS odyssey_sync CASCADE")
    else:
        shutil.rmtree(folder / "snapshots", ignore_errors=True)
