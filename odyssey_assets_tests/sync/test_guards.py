"""Guards: one writing run at a time, and the delete breaker."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from odyssey_assets.errors import RefusedError
from odyssey_assets.progress import Phase, Progress
from odyssey_assets.sync.guards import hold_sync_lock, refuse_large_deletes
from odyssey_assets.sync.outcome import Request, TableOutcome, TableStatus
from odyssey_assets.sync.run import run
from odyssey_assets.target.connection import connect
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.statements import ask_postgres, ask_sqlite
from odyssey_assets_tests.sync.requests import NONE, request_for

VILLAGES_SQL = 'SELECT "id", "name" FROM "Village"'


def at(phase: Phase, request: Request, action: Request) -> list[RefusedError]:
    """Run ``action`` once in the middle of ``request``, and give the refusals it met."""
    refusals: list[RefusedError] = []
    seen: set[Phase] = set()

    def act(progress: Progress) -> None:
        if progress.phase is phase and phase not in seen:
            seen.add(phase)
            try:
                assert run(action).ok
            except RefusedError as refusal:
                refusals.append(refusal)

    assert run(request, act).ok
    assert seen == {phase}
    return refusals


@pytest.mark.parametrize("phase", [Phase.SNAPSHOT, Phase.PROOF, Phase.COMMIT])
def test_of_two_runs_at_once_one_is_refused_and_the_other_succeeds(
    tmp_path: Path, source: Path, database_uri: str, phase: Phase
) -> None:
    request = request_for(tmp_path, source, database_uri, publish=frozenset({"Village"}))
    (refusal,) = at(phase, request, request)
    assert refusal.exit_status == 3
    assert str(refusal) == ("Another Odyssey run is writing to this database. "
                            "Wait until it has finished, then run again; nothing was changed.")  # fmt: skip
    assert dict(ask_sqlite(source, VILLAGES_SQL)) == dict(ask_postgres(database_uri, VILLAGES_SQL)) != {}
    assert run(request).ok


def test_a_verification_beside_a_run_sees_what_was_committed_before(
    tmp_path: Path, source: Path, loaded_uri: str
) -> None:
    few = frozenset({"Village", "User"})
    request = request_for(tmp_path, source, loaded_uri, publish=few)
    verification = request_for(tmp_path, source, loaded_uri, publish=NONE, verify=few)
    assert at(Phase.COMPARE, request, verification) == []


def test_another_schema_of_the_same_database_is_not_in_the_way(tmp_path: Path, source: Path, database_uri: str) -> None:
    village = frozenset({"Village"})
    request = request_for(tmp_path, source, database_uri, publish=village)
    other = request_for(tmp_path, source, f"{database_uri}&schema=other", publish=village)
    assert run(replace(request, target=parse_target_url(f"{database_uri}&schema=first"))).ok
    assert at(Phase.PROOF, request, other) == []
    assert dump(database_uri)["other.Village"] == dump(database_uri)["Village"] != []


def test_a_lock_ends_with_its_transaction(database_uri: str) -> None:
    target = parse_target_url(database_uri)
    with connect(target) as first:
        hold_sync_lock(first, "public")
        with connect(target) as second:
            hold_sync_lock(second, "other")
            with pytest.raises(RefusedError, match="Another Odyssey run"):
                hold_sync_lock(second, "public")
        first.rollback()
        with connect(target) as third:
            hold_sync_lock(third, "public")


def test_advisory_locks_of_others_are_not_in_the_way(tmp_path: Path, source: Path, database_uri: str) -> None:
    with psycopg.connect(database_uri) as other:
        other.execute("SELECT pg_advisory_lock(number) FROM generate_series(0, 100) AS number")
        assert run(request_for(tmp_path, source, database_uri, publish=frozenset({"Village"}))).ok


def outcome(extra_rows: int, target_rows: int, name: str = "Vote") -> TableOutcome:
    return TableOutcome(name, TableStatus.DIFFERS, target_rows=target_rows, extra_rows=extra_rows)


@pytest.mark.parametrize(
    ("extra_rows", "target_rows", "allowed", "is_refused"),
    [
        (10, 10, {}, False),
        (11, 11, {}, True),
        (11, 110, {}, False),
        (11, 109, {}, True),
        (500, 1000, {"Vote": 500}, False),
        (501, 1000, {"Vote": 500}, True),
        (500, 1000, {"User": 500}, True),
        (0, 0, {}, False),
    ],
)
def test_the_delete_breaker(extra_rows: int, target_rows: int, allowed: dict[str, int], is_refused: bool) -> None:
    if not is_refused:
        refuse_large_deletes([outcome(extra_rows, target_rows)], allowed)
        return
    with pytest.raises(RefusedError, match="would delete a large part") as raised:
        refuse_large_deletes([outcome(extra_rows, target_rows)], allowed)
    assert raised.value.table == "Vote"
    assert f"--allow-deletes Vote={extra_rows}" in raised.value.hint


def test_the_breaker_names_every_table_that_tripped_it() -> None:
    tables = [outcome(2000, 3000, "A"), outcome(1, 3000, "B"), outcome(12, 20, "C")]
    with pytest.raises(RefusedError, match=r"A 2,000 of 3,000 rows; C 12 of 20 rows") as raised:
        refuse_large_deletes(tables, {})
    assert "--allow-deletes A=2000 --allow-deletes C=12" in raised.value.hint
