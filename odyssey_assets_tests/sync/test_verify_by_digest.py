"""Verifying when the published snapshot is gone: what the digest and PostgreSQL's own counts can tell, and no more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from odyssey_assets.sync.outcome import Outcome
from odyssey_assets.sync.run import run
from odyssey_assets_tests.statements import run_postgres
from odyssey_assets_tests.sync.dual_run import DualRun, Template, copied
from odyssey_assets_tests.sync.requests import failures, verification


@pytest.fixture
def pair(template: Template, tmp_path: Path) -> Iterator[DualRun]:
    with copied(template, tmp_path) as made:
        made.forget_snapshots()
        yield made


def verified(pair: DualRun) -> Outcome:
    return run(verification(pair.folder, pair.source, pair.uri))


def test_an_untouched_target_passes_and_every_verdict_says_what_it_rests_on(pair: DualRun) -> None:
    outcome = verified(pair)
    assert failures(outcome) == {}
    (badge,) = (table for table in outcome.tables if table.name == "Badge")
    (rows_equal,) = (check for check in badge.checks if check.name == "rows_equal")
    assert "by PostgreSQL's digest, as published in 1, whose snapshot is gone" in rows_equal.detail


@pytest.mark.parametrize(
    ("statement", "failing"),
    [
        ("""UPDATE "Badge" SET "name" = 'x' WHERE id = 'Badge-1'""", {"rows_equal"}),
        ("""UPDATE "Badge" SET "iconUrl" = CASE WHEN "iconUrl" IS NULL THEN '' END""", {"rows_equal", "nulls"}),
        ("""DELETE FROM "UserBadge" WHERE id = 'UserBadge-1'""", {"rows_equal", "row_count"}),
    ],
)
def test_no_check_passes_that_could_not_look(pair: DualRun, statement: str, failing: set[str]) -> None:
    run_postgres(pair.uri, statement)
    found = {name for _, name in failures(verified(pair))}
    assert failing <= found <= {"rows_equal", "row_count", "nulls"}
    assert ("nulls" in found) == ("nulls" in failing) or "row_count" in failing
