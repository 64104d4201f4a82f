"""Through PgBouncer in transaction mode, with a pool of one or two connections: everything works and nothing leaks.

Belongs here: whole runs through a real PgBouncer. Does not belong here: what the runs do beyond that.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from odyssey_assets.errors import RefusedError
from odyssey_assets.preflight.run import PreflightRequest, run_preflight
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.run import run
from odyssey_assets.target.account import server_account
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.conftest import open_folder
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.statements import ask_postgres, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import request_for, verification

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PATIENCE_SECONDS = 60

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")

CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 50
query_wait_timeout = 60
"""


@dataclass(frozen=True)
class Pooled:
    """A database behind PgBouncer; ``direct_uri`` goes past it."""

    uri: str
    direct_uri: str

    def session_settings(self) -> list[tuple[object, ...]]:
        """What the pool's own connection is left with; the application's name PgBouncer itself sets for each client."""
        with psycopg.connect(self.uri, autocommit=True, prepare_threshold=None) as connection:
            return connection.execute(
                "SELECT name, setting FROM pg_settings WHERE source = 'session' AND setting <> reset_val "
                "AND name <> 'application_name' "
                "UNION ALL SELECT 'temporary table', relname FROM pg_class WHERE relpersistence = 't'"
            ).fetchall()

    def advisory_locks(self) -> list[tuple[object, ...]]:
        return ask_postgres(self.direct_uri, "SELECT pid FROM pg_locks WHERE locktype = 'advisory'")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listened_to(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def pgbouncer(server: EmbeddedServer, pool_size: int) -> Iterator[int]:
    """The port of a PgBouncer in front of the server."""
    assert PGBOUNCER
    with open_folder() as folder:
        port, users, settings = free_port(), folder / "users.txt", folder / "pgbouncer.ini"
        users.write_text(f'"{urlsplit(server.uri_of("x")).username}" "{server.password}"\n')
        settings.write_text(CONFIGURATION.format(port=server.port, own_port=port, users=users, pool_size=pool_size))
        account = server_account(folder / "not there")
        options: dict[str, Any] = (
            {"user": account.uid, "group": account.gid, "extra_groups": []} if account is not None else {}
        )
        process = subprocess.Popen([PGBOUNCER, "-q", str(settings)], stderr=subprocess.DEVNULL, **options)
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not is_listened_to(port):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


SAID = pytest.param((1, "&pgbouncer=true"), id="pool of 1, said so")
NOT_SAID = pytest.param((2, ""), id="pool of 2, not said")


@pytest.fixture
def pooled(request: pytest.FixtureRequest, server: EmbeddedServer, database_uri: str) -> Iterator[Pooled]:
    pool_size, parameter = request.param
    with pgbouncer(server, pool_size) as port:
        parts = urlsplit(database_uri)
        netloc = f"{parts.username}:{parts.password}@{parts.hostname}:{port}"
        yield Pooled(parts._replace(netloc=netloc).geturl() + parameter, database_uri)


@pytest.mark.parametrize("pooled", [SAID, NOT_SAID], indirect=True)
def test_migrate_sync_verify_and_preflight_work_and_leave_nothing_behind(pooled: Pooled, tmp_path: Path) -> None:
    source = write_sample(tmp_path / "odyssey.db", scale=0.1).path
    plain = Pooled(parse_target_url(pooled.uri).uri, pooled.direct_uri)
    before = plain.session_settings()
    assert run_preflight(PreflightRequest(source, parse_target_url(pooled.uri), tmp_path / "snapshots")).ok
    assert run(request_for(tmp_path, source, pooled.uri)).ok
    run_sqlite(source, "UPDATE Village SET name = name || '!'", "DELETE FROM Vote WHERE rowid = 1")
    assert run(request_for(tmp_path, source, pooled.uri, applies_changes=True)).ok
    assert run(verification(tmp_path, source, pooled.uri)).ok
    assert differences(source, pooled.direct_uri) == []
    assert plain.session_settings() == before
    assert plain.advisory_locks() == []


@pytest.mark.parametrize("pooled", [NOT_SAID], indirect=True)
def test_two_runs_at_once_are_kept_apart_and_the_lock_goes_with_the_transaction(pooled: Pooled, tmp_path: Path) -> None:
    source = write_sample(tmp_path / "odyssey.db", scale=0.1).path
    with psycopg.connect(pooled.direct_uri) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('odyssey_sync.' || 'public', 0))")
        with pytest.raises(RefusedError, match="Another Odyssey run is writing"):
            run(request_for(tmp_path, source, pooled.uri))
    assert pooled.advisory_locks() == []
    assert run(request_for(tmp_path, source, pooled.uri)).ok


@pytest.mark.parametrize("pooled", [SAID], indirect=True)
def test_a_run_that_fails_half_way_gives_its_connection_back(pooled: Pooled, tmp_path: Path) -> None:
    source = write_sample(tmp_path / "odyssey.db", scale=0.1).path
    assert run(request_for(tmp_path, source, pooled.uri)).ok
    run_postgres(pooled.direct_uri, "ALTER TABLE \"Village\" ADD CONSTRAINT no CHECK (name NOT LIKE '%!')")
    run_sqlite(source, "UPDATE Village SET name = name || '!'")
    for _ in range(3):
        with pytest.raises(Exception, match='violates check constraint "no"'):
            run(request_for(tmp_path, source, pooled.uri, applies_changes=True))
    run_postgres(pooled.direct_uri, 'ALTER TABLE "Village" DROP CONSTRAINT no')
    assert run(request_for(tmp_path, source, pooled.uri, applies_changes=True)).ok
    assert differences(source, pooled.direct_uri) == []
