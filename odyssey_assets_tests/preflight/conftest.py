"""Targets that the tests of the preflight share."""

from collections.abc import Iterator

import pytest

from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.statements import prisma_sql, run_postgres


@pytest.fixture(scope="session")
def application(server: EmbeddedServer) -> Iterator[TargetUrl]:
    """The newest version as Prisma makes it, without rows; nothing a test does there stays."""
    with fresh_database(server) as uri:
        run_postgres(uri, prisma_sql(5))
        yield parse_target_url(uri)


@pytest.fixture
def two_tables(database_uri: str) -> TargetUrl:
    run_postgres(database_uri, 'CREATE TABLE "Village" (id text); CREATE TABLE "User" (id text)')
    return parse_target_url(database_uri)
