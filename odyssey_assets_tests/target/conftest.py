"""What the tests of the target share: the target of a test, and one database for tests that draw many examples."""

from collections.abc import Iterator

import pytest

from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import fresh_database


@pytest.fixture
def target(database_uri: str) -> TargetUrl:
    """An empty database of the test's own."""
    return parse_target_url(database_uri)


@pytest.fixture(scope="module")
def lasting_target(server: EmbeddedServer) -> Iterator[TargetUrl]:
    """An empty database for all examples of a module's property tests."""
    with fresh_database(server) as uri:
        yield parse_target_url(uri)


@pytest.fixture(scope="module")
def every_lasting_target(every_server: EmbeddedServer) -> Iterator[TargetUrl]:
    """The same on each server in turn."""
    with fresh_database(every_server) as uri:
        yield parse_target_url(uri)
