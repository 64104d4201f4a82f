"""What the tests of backups share: a filled SQLite file, a PostgreSQL database that holds the same, places to put things."""

from pathlib import Path

import pytest

from odyssey_assets.backup.drill import DrillPlace
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.run import run
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.statements import prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "odyssey.db", scale=0.05).path


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    """Where they are kept; not there yet."""
    return tmp_path / "state" / "backups"


@pytest.fixture
def filled_url(every_database_uri: str, source: Path, tmp_path: Path) -> TargetUrl:
    """On each server, a database that was published from ``source``."""
    run_postgres(every_database_uri, prisma_sql(5))
    assert run(request_for(tmp_path, source, every_database_uri)).ok
    return parse_target_url(every_database_uri)


@pytest.fixture
def place(tmp_path: Path, every_database_uri: str) -> DrillPlace:
    return DrillPlace(tmp_path / "scratch", parse_target_url(every_database_uri))


def flip_a_byte(path: Path, at: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.write_bytes(content)
