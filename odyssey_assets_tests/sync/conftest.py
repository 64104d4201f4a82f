"""What the tests of whole runs share: a filled source, a target that holds it, and a role with few rights."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.run import run
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.statements import prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for

SCALE = 0.1


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small database of the newest version; never to be changed, only to be copied."""
    return write_sample(tmp_path_factory.mktemp("sample") / "odyssey.db", scale=SCALE).path


@pytest.fixture
def source(sample: Path, tmp_path: Path) -> Path:
    """A copy of it, to be edited and published."""
    return Path(shutil.copy(sample, tmp_path / "odyssey.db"))


@pytest.fixture(scope="session")
def filled_template(server: EmbeddedServer, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database that holds what ``source`` holds, in Prisma's schema and with no ledger; to be copied."""
    folder = tmp_path_factory.mktemp("template")
    with fresh_database(server) as uri:
        run_postgres(uri, prisma_sql(5))
        assert run(request_for(folder, sample, uri)).ok
        run_postgres(uri, "DROP SCHEMA odyssey_sync CASCADE")
        yield urlsplit(uri).path.strip("/")


@pytest.fixture
def loaded_uri(server: EmbeddedServer, filled_template: str) -> Iterator[str]:
    """A database of the test's own that holds what ``source`` holds."""
    with fresh_database(server, template=filled_template) as uri:
        yield uri


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
