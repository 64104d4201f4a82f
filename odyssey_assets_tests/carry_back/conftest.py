"""A published pair for tests of the way back: PostgreSQL is edited, then carried back onto the published snapshot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from odyssey_assets_tests.carry_back.way_back import WayBack
from odyssey_assets_tests.sync.dual_run import Template, copied
from odyssey_assets_tests.sync.ordinary_role import as_role


@pytest.fixture
def pair(template: Template, tmp_path: Path) -> Iterator[WayBack]:
    """Every table with four sound rows, published; the way back goes by the role that owns the tables."""
    with copied(template, tmp_path) as copy:
        yield WayBack(tmp_path, copy.uri, as_role(copy.uri))
