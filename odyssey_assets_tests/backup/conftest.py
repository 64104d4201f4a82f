"""What the tests of backups share: a SQLite file, databases that were published from it, places to put things."""

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from odyssey_assets.backup.drill import DrillPlace
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.run import run
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.statements import prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only: the tests of a module share it."""
    return write_sample(tmp_path_factory.mktemp("source") / "odyssey.db", scale=0.05).path


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    """Where they are kept; not there yet."""
    return tmp_path / "state" / "backups"


@contextmanager
def publication(server: EmbeddedServer, source: Path, folder: Path) -> Iterator[TargetUrl]:
    """A database that was published from ``source``."""
    with fresh_database(server) as uri:
        run_postgres(uri, prisma_sql(5))
        assert run(request_for(folder, source, uri)).ok
        yield parse_target_url(uri)


@pytest.fixture(scope="module")
def published(server: EmbeddedServer, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of one that is to be copied."""
    with publication(server, source, tmp_path_factory.mktemp("published")) as url:
        yield urlsplit(url.uri).path.strip("/")


@pytest.fixture
def filled_url(server: EmbeddedServer, published: str) -> Iterator[TargetUrl]:
    """A copy of it for one test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with closing(psycopg.connect(server.uri_of("postgres"), autocommit=True)) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{published}"')  # type: ignore[call-overload]
        try:
            yield parse_target_url(server.uri_of(name))
        finally:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[call-overload]


@pytest.fixture
def every_filled_url(every_server: EmbeddedServer, source: Path, tmp_path: Path) -> Iterator[TargetUrl]:
    """On each server in turn, for what depends on its version or on its programs."""
    with publication(every_server, source, tmp_path / "published") as url:
        yield url


@pytest.fixture
def place(tmp_path: Path, server: EmbeddedServer) -> DrillPlace:
    return DrillPlace(tmp_path / "scratch", parse_target_url(server.uri_of("postgres")))


@pytest.fixture
def every_place(tmp_path: Path, every_server: EmbeddedServer) -> DrillPlace:
    """On the server of ``every_filled_url``."""
    return DrillPlace(tmp_path / "scratch", parse_target_url(every_server.uri_of("postgres")))


def flip_a_byte(path: Path, at: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.write_bytes(content)
