"""A published pair for every test that switches, and the requests for it.

Belongs here: fixtures. Does not belong here: what a switch must do.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from odyssey_assets_tests.statements import run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun, Template, copied


@pytest.fixture
def pair(template: Template, tmp_path: Path) -> Iterator[DualRun]:
    with copied(template, tmp_path) as made:
        run_sqlite(made.source, "PRAGMA journal_mode = WAL")
        yield made
