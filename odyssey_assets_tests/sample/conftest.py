"""One small sample for the tests that only look at it."""

import pytest

from odyssey_assets.sample.writer import SampleSummary, write_sample


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return write_sample(tmp_path_factory.mktemp("sample") / "odyssey.db")
