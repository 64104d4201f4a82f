"""The preflight and the run agree: what one lets pass the other does, whatever is odd about the target's schema."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from odyssey_assets.errors import FindingsError
from odyssey_assets.preflight.run import PreflightRequest, run_preflight
from odyssey_assets.sync.run import run
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.plain_source import write_database
from odyssey_assets_tests.statements import run_postgres
from odyssey_assets_tests.sync.requests import request_for

DROP = 'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey"'
AGAIN = f'{DROP}, ADD CONSTRAINT "Vote_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" (id)'
RENAME = 'ALTER TABLE "Vote" RENAME CONSTRAINT "Vote_userId_fkey" TO voter'
CASCADES = "ON UPDATE CASCADE ON DELETE CASCADE"

PASSING = {
    "as Prisma makes it": "SELECT 1",
    "foreign key deferrable and renamed": f"{AGAIN} {CASCADES} DEFERRABLE INITIALLY DEFERRED; {RENAME}",
    "foreign key more than once": f'ALTER TABLE "Vote" ADD FOREIGN KEY ("userId") REFERENCES "User" (id) {CASCADES}',
    "unique index missing, a text with room enough, microseconds, columns that fill themselves": """
        DROP INDEX "User_email_key"; ALTER TABLE "User" ALTER "email" TYPE varchar(60);
        ALTER TABLE "Vote" ALTER "createdAt" TYPE timestamp;
        ALTER TABLE "Vote" ADD "number" bigint NOT NULL GENERATED ALWAYS AS IDENTITY;
        CREATE DOMAIN mood AS text DEFAULT 'good' NOT NULL; ALTER TABLE "Vote" ADD "mood" mood NOT NULL""",
}
FAILING = {
    "foreign key missing": DROP,
    "other ON DELETE": f"{AGAIN} ON UPDATE CASCADE ON DELETE RESTRICT",
    "other ON UPDATE": f"{AGAIN} ON DELETE CASCADE",
    "foreign key not valid": f"{AGAIN} {CASCADES} NOT VALID",
    "foreign key renamed and not valid": f"{AGAIN} {CASCADES} NOT VALID; {RENAME}",
    "other parent": f'{DROP}, ADD CONSTRAINT "Vote_userId_fkey" FOREIGN KEY ("userId") REFERENCES "Feature" (id) '
    f"{CASCADES}",
    "parent missing": 'DROP TABLE "Village" CASCADE',
    "no milliseconds": 'ALTER TABLE "Vote" ALTER "createdAt" TYPE timestamp(0)',
    "too few digits, with a zone": 'ALTER TABLE "Vote" ALTER "createdAt" TYPE timestamptz(2)',
    "too short a text": 'ALTER TABLE "User" ALTER "email" TYPE varchar(3)',
    "too short a text for a label": """ALTER TABLE "User" ALTER "role" DROP DEFAULT, ALTER "role" TYPE varchar(2);
        ALTER TABLE "User" ALTER "role" SET DEFAULT 'USER'""",
    "a column that cannot be filled": 'ALTER TABLE "Vote" ADD "number" bigint NOT NULL',
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("source") / "odyssey.db")


@pytest.fixture
def made_uri(server: EmbeddedServer, application: TargetUrl) -> Iterator[str]:
    """A database of the test's own as Prisma makes it."""
    with fresh_database(server, template=urlsplit(application.uri).path.strip("/")) as uri:
        yield uri


def verdicts(folder: Path, source: Path, uri: str) -> tuple[bool, bool]:
    """Whether the preflight passes, and whether a migration does."""
    passes = run_preflight(PreflightRequest(source, parse_target_url(uri), folder / "snapshots")).ok
    try:
        return passes, run(request_for(folder, source, uri)).ok
    except FindingsError:
        return passes, False


@pytest.mark.parametrize("change", PASSING.values(), ids=PASSING.keys())
def test_what_the_preflight_passes_the_run_carries(tmp_path: Path, source: Path, made_uri: str, change: str) -> None:
    run_postgres(made_uri, change)
    assert verdicts(tmp_path, source, made_uri) == (True, True)


@pytest.mark.parametrize("change", FAILING.values(), ids=FAILING.keys())
def test_what_the_run_fails_for_the_preflight_has_told_before(
    tmp_path: Path, source: Path, made_uri: str, change: str
) -> None:
    run_postgres(made_uri, change)
    assert verdicts(tmp_path, source, made_uri) == (False, False)
