"""Kills, cuts and full disks in the middle of a sync: PostgreSQL is as it was or whole, and the next sync converges.

docs/reliability.md lists every fault with its outcome.
"""

import contextlib
import os
import random
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from odyssey_assets.errors import UnreachableError
from odyssey_assets.progress import Phase, Progress
from odyssey_assets.sync.run import run
from odyssey_assets.target.embedded import EmbeddedServer, ensure_database, ensure_running
from odyssey_assets_tests.conftest import FAST_SETTINGS
from odyssey_assets_tests.end_to_end.faults import cutting_proxy, fill, kill_server, small_disk
from odyssey_assets_tests.end_to_end.killed_sync import attempts
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.plain_source import write_database
from odyssey_assets_tests.statements import prisma_sql, run_postgres, run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun
from odyssey_assets_tests.sync.ordinary_role import as_role
from odyssey_assets_tests.sync.requests import request_for
from odyssey_assets_tests.waiting import wait_until_alone

pytestmark = pytest.mark.slow

QUICK_PHASES = [Phase.SNAPSHOT, Phase.SCHEMA, Phase.SURVEY, Phase.COMPARE, Phase.APPLY, Phase.PROOF, Phase.RECORD,
                Phase.COMMIT]  # fmt: skip
KILLED_WITH_CHILDREN = (Phase.COMPARE, Phase.PROOF)
"""Where every process of PostgreSQL is killed; elsewhere the postmaster alone."""
RANDOM_KILLS = int(os.environ.get("ODYSSEY_RANDOM_KILLS", "8"))
ROWS_OF_A_BIG_CHANGE = 1_500


def edit(source: Path, name: str) -> None:
    """A little of everything in several tables."""
    run_sqlite(
        source,
        f"""UPDATE "Village" SET "name" = '{name}' WHERE "id" > 'Village-0'""",
        f"""INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt") VALUES ('{name}', 'new', 1, 2)""",
        f"""UPDATE "User" SET "currentVillageId" = '{name}' WHERE "id" = 'User-1'""",
        """DELETE FROM "VerificationToken" WHERE rowid = (SELECT max(rowid) FROM "VerificationToken")""",
    )


def edit_much(source: Path) -> None:
    rows = [(f"big-{number}", "x" * 900, 1, 2) for number in range(ROWS_OF_A_BIG_CHANGE)]
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.executemany(
            'INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt") VALUES (?, ?, ?, ?)', rows
        )


@pytest.mark.parametrize("way", ["quick", "full"])
def test_a_sync_killed_in_any_phase_leaves_no_trace(pair: DualRun, way: str) -> None:
    if way == "full":
        pair.forget_snapshots()
        run_postgres(pair.uri, "TRUNCATE odyssey_sync.publication, odyssey_sync.published_table")
    edit(pair.source, "edited")
    before = dump(pair.uri)
    with attempts(pair.folder, pair.source, as_role(pair.uri)) as process:
        for phase in QUICK_PHASES:
            assert process.sync_and_die(phase, 0) == signal.SIGKILL, phase
            wait_until_alone(pair.uri)
            assert dump(pair.uri) == before, phase
    pair.converge()
    assert not list((pair.folder / "snapshots").glob(".partial-*"))


def test_a_sync_killed_at_random_moments_has_done_all_or_nothing(pair: DualRun) -> None:
    chance = random.Random(11)
    edit_much(pair.source)
    ends = []
    with attempts(pair.folder, pair.source, as_role(pair.uri)) as process:
        for number in range(RANDOM_KILLS):
            edit(pair.source, f"edit {number}")
            before = dump(pair.uri)
            # The first dies where a phase begins, so that one dies on any machine; the others wherever they are then.
            after_milliseconds = chance.randrange(1, 120) if number else 0
            ends.append(process.sync_and_die(chance.choice(QUICK_PHASES), after_milliseconds))
            wait_until_alone(pair.uri)
            assert dump(pair.uri) == before or pair.differences() == []
    assert signal.SIGKILL in ends
    pair.converge()


def test_a_server_killed_in_the_middle_comes_back_as_it_was(state_dir: Path, tmp_path: Path) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS)
    ensure_database(server, "odyssey")
    uri = server.uri_of("odyssey")
    run_postgres(uri, prisma_sql(5))
    source = write_database(tmp_path / "odyssey.db", rows=4)
    request = request_for(tmp_path, source, uri, applies_changes=True)
    assert run(request).ok
    for phase in (Phase.APPLY, Phase.COMMIT, Phase.COMPARE, Phase.PROOF):
        edit(source, f"edited before {phase}")
        before = dump(uri)

        def kill(progress: Progress, phase: Phase = phase) -> None:
            if progress.phase is phase and not progress.table:
                kill_server(server, with_children=phase in KILLED_WITH_CHILDREN)

        # A backend outlives its postmaster for a moment, and may just get its commit through.
        with contextlib.suppress(UnreachableError):
            run(request, kill)
        assert ensure_running(state_dir, FAST_SETTINGS).port == server.port
        assert dump(uri) == before or differences(source, uri) == []
        assert run(request).ok
        assert differences(source, uri) == []


def test_a_connection_cut_anywhere_leaves_postgresql_as_it_was_or_whole(server: EmbeddedServer, pair: DualRun) -> None:
    with cutting_proxy(server.port) as proxy:
        parts = urlsplit(as_role(pair.uri))
        through = parts._replace(netloc=parts.netloc.replace(str(server.port), str(proxy.port))).geturl()
        request = request_for(pair.folder, pair.source, through, applies_changes=True)
        # The first one is longer than those after it: it learns the server's types.
        for name in ("first", "second"):
            proxy.arm(None)
            edit(pair.source, name)
            assert run(request).ok
        length = proxy.passed_bytes
        assert length > 0
        edit(pair.source, "third")
        for part in (0.02, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97):
            before = dump(pair.uri)
            proxy.arm(int(length * part))
            with pytest.raises(UnreachableError):
                run(request)
            wait_until_alone(pair.uri)
            assert dump(pair.uri) == before or pair.differences() == []
        proxy.arm(None)
        assert run(request).ok
    assert pair.differences() == []


def test_a_full_disk_under_postgresql_changes_nothing(server: EmbeddedServer, tmp_path: Path) -> None:
    outside = server.data_dir.parent / "small"
    with (
        small_disk(outside, 48 * 2**20) as disk,
        closing(psycopg.connect(server.uri_of("postgres"), autocommit=True)) as admin,
    ):
        place = disk / "place"
        place.mkdir(mode=0o700)
        owner = server.data_dir.stat()
        os.chown(place, owner.st_uid, owner.st_gid)
        admin.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
        admin.execute("CREATE DATABASE small TABLESPACE small")
        try:
            uri = server.uri_of("small")
            run_postgres(uri, prisma_sql(5))
            source = write_database(tmp_path / "odyssey.db", rows=4)
            request = request_for(tmp_path, source, uri, applies_changes=True)
            assert run(request).ok
            before = dump(uri)
            edit_much(source)
            filler = fill(disk, leaving_bytes=300_000)
            with pytest.raises(UnreachableError, match="no room left"):
                run(request)
            assert dump(uri) == before
            filler.unlink()
            assert run(request).ok
            assert differences(source, uri) == []
        finally:
            admin.execute("DROP DATABASE IF EXISTS small WITH (FORCE)")
            admin.execute("DROP TABLESPACE small")


@pytest.mark.parametrize("place", ["snapshot_dir", "scratch_dir"])
def test_a_full_disk_on_this_side_changes_nothing(pair: DualRun, tmp_path: Path, place: str) -> None:
    edit_much(pair.source)
    before = dump(pair.uri)
    with small_disk(tmp_path / "small", 12 * 2**20) as disk:
        request = request_for(pair.folder, pair.source, as_role(pair.uri), applies_changes=True)
        request = replace(request, **{place: disk / "room"})
        filler = fill(disk, leaving_bytes=8_192)
        with pytest.raises(UnreachableError, match="no room for"):
            run(request)
        assert dump(pair.uri) == before
        filler.unlink()
        assert run(request).ok
    assert pair.differences() == []
