"""What the tests of whole runs share: a filled source, a target that holds it, and a role with few rights."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.run import run
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.statements import prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for

SCALE = 0.1


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small database of the newest version."""
    return write_sample(tmp_path / "odyssey.db", scale=SCALE).path


@pytest.fixture(scope="module")
def filled_template(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database that holds what ``source`` holds, in Prisma's schema and with no ledger; to be copied."""
    folder = tmp_path_factory.mktemp("template")
    with fresh_database(server) as uri:
        run_postgres(uri, prisma_sql(5))
        assert run(request_for(folder, write_sample(folder / "odyssey.db", scale=SCALE).path, uri)).ok
        run_postgres(uri, "DROP SCHEMA odyssey_sync CASCADE")
        yield urlsplit(uri).path.strip("/")


@pytest.fixture
def loaded_uri(server: EmbeddedServer, filled_template: str) -> Iterator[str]:
    """A database of the test's own that holds what ``source`` holds."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with closing(psycopg2.connect(server.uri_of("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{filled_template}"')
            try:
                yield server.uri_of(name)
            finally:
                cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def role_uri(database_uri: str) -> Iterator[str]:
    """The test's database for a role that may do nothing in it yet; the role is called ``few_rights``."""
    parts = urlsplit(database_uri)
    run_postgres(database_uri, "CREATE ROLE few_rights LOGIN PASSWORD 'few'")
    try:
        yield parts._replace(netloc=f"few_rights:few@{parts.hostname}:{parts.port}").geturl()
    finally:
        run_postgres(database_uri, "REASSIGN OWNED BY few_rights TO CURRENT_USER; DROP OWNED BY few_rights; "
                     "DROP ROLE few_rights")  # fmt: skip
