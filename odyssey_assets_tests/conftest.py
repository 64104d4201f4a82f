"""Fixtures for every test that needs a PostgreSQL: real servers of this test run's own, and empty databases on them.

Belongs here: servers, databases, folders, and the published pair that many start from. Does not belong here: what is in
it (``sync.dual_run``).
"""

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg2
import pytest
from hypothesis import settings

from odyssey_assets.target.account import outside_folder
from odyssey_assets.target.binaries import major_version
from odyssey_assets.target.connection import OLDEST_SERVER
from odyssey_assets.target.embedded import EmbeddedServer, ensure_running, stop

if TYPE_CHECKING:
    from odyssey_assets_tests.sync.dual_run import DualRun, Template

# Submissions are judged by the same examples each time; developers get new ones, and time is never what is judged.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("developer", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "developer")

FAST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_size": "128MB",
    "autovacuum_naptime": "5min",
}

_MEMORY_FOR_SERVERS = 8 * 2**30
"""Two test processes with up to four servers each, of 300 MB at most, and as much again for the tests."""

_SYSTEM_SERVERS = sorted(
    [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *(Path(folder) for folder in os.environ.get("ODYSSEY_TEST_SERVERS", "").split(os.pathsep) if folder),
    ]
)
"""Programs of other PostgreSQL versions on this machine; ODYSSEY_TEST_SERVERS names more folders."""

SUPPORTED = [path for path in _SYSTEM_SERVERS if int(major_version(path)) * 10_000 >= OLDEST_SERVER]
OLD_SERVERS = [path for path in _SYSTEM_SERVERS if path not in SUPPORTED]
_SERVERS = [
    pytest.param(None, id="embedded"),
    *(pytest.param(path, id=f"system-{major_version(path)}") for path in SUPPORTED),
]
if not SUPPORTED:
    _SERVERS.append(
        pytest.param(None, id="system", marks=pytest.mark.skip(reason="no PostgreSQL under /usr/lib/postgresql"))
    )


def _folder_in_memory() -> Path | None:
    """Where the system keeps files in memory, if there is plenty; the usual temporary folder is where None is given.

    A database of the application's tables is made and dropped 2,000 times, with some 500 files each: 0.11 s in memory,
    0.25 to 0.32 s on an ext4 disk, nearly all of the difference the kernel's processor time (measured).
    """
    folder = Path("/dev/shm")
    if not os.access(folder, os.W_OK) or psutil.virtual_memory().available < _MEMORY_FOR_SERVERS:
        return None
    return folder if shutil.disk_usage(folder).free >= _MEMORY_FOR_SERVERS else None


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that other accounts can pass through, as the server's must; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="odyssey-tests-", dir=_folder_in_memory()))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def state_folder() -> Iterator[Path]:
    """A state folder that is not there yet; at the end its server, if any, is stopped and everything removed."""
    with open_folder() as folder:
        state_dir = folder / "state"
        try:
            yield state_dir
        finally:
            try:
                stop(state_dir)
            finally:
                if os.geteuid() == 0:
                    shutil.rmtree(outside_folder(state_dir.resolve()), ignore_errors=True)


@contextmanager
def fresh_database(server: EmbeddedServer, *, template: str = "template0") -> Iterator[str]:
    """The URI of a new database, empty or a copy of another, dropped at the end whoever is still connected."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with closing(psycopg2.connect(server.uri_of("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            try:
                yield server.uri_of(name)
            finally:
                _end_sessions(cursor, name)
                cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _end_sessions(cursor: "psycopg2.extensions.cursor", database: str) -> None:
    """Wait for the sessions of a database to be gone: DROP DATABASE would look again only after a tenth of a second."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        if not cursor.fetchall():
            return
        time.sleep(0.002)


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A state folder of the test's own, for tests that start and stop servers."""
    with state_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """The embedded server, one for each test process."""
    with state_folder() as folder:
        yield ensure_running(folder, FAST_SETTINGS)


@pytest.fixture
def database_uri(server: EmbeddedServer) -> Iterator[str]:
    """An empty database of the test's own on the embedded server."""
    with fresh_database(server) as uri:
        yield uri


@pytest.fixture(scope="session", params=_SERVERS)
def every_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """The embedded server, then each PostgreSQL the system has, started by the same code."""
    if request.param is None:
        yield request.getfixturevalue("server")
        return
    with state_folder() as folder:
        yield ensure_running(folder, FAST_SETTINGS, bin_dir=request.param)


@pytest.fixture
def every_database_uri(every_server: EmbeddedServer) -> Iterator[str]:
    """An empty database of the test's own, on each server in turn."""
    with fresh_database(every_server) as uri:
        yield uri


@pytest.fixture(scope="session")
def template(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Template"]:
    """A pair of databases that was published once; never to be changed, only to be copied."""
    # Not at the top: what it needs needs this module.
    from odyssey_assets_tests.sync.dual_run import published_template

    with published_template(server, tmp_path_factory.mktemp("template")) as published:
        yield published


@pytest.fixture
def pair(template: "Template", tmp_path: Path) -> Iterator["DualRun"]:
    """A copy of it, to be edited and synced."""
    from odyssey_assets_tests.sync.dual_run import copied

    with copied(template, tmp_path) as made:
        yield made
