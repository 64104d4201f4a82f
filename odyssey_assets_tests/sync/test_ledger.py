"""The ledger tells of publications that were committed, the newest entry of each table, and of nothing else."""

import pytest

from odyssey_assets.errors import RefusedError
from odyssey_assets.sync.ledger import LedgerEntry, Publication, last_publication, read_ledger
from odyssey_assets.sync.outcome import OnTamper
from odyssey_assets.target.connection import connect
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.statements import ask_postgres, run_postgres
from odyssey_assets_tests.sync.dual_run import ROWS, DualRun
from odyssey_assets_tests.sync.older_bookkeeping import bring_back
from odyssey_assets_tests.sync.requests import ALL_TABLES

RENAME = """UPDATE "Village" SET "name" = 'renamed' WHERE "id" = 'Village-1'"""


def ledger(uri: str, schema: str = "public") -> tuple[Publication | None, dict[str, LedgerEntry]]:
    with connect(parse_target_url(uri), read_only=True) as connection:
        return last_publication(connection, schema), read_ledger(connection, schema)


def test_nothing_was_published_where_there_is_no_bookkeeping(database_uri: str) -> None:
    assert ledger(database_uri) == (None, {})


def test_a_publication_is_told_with_its_snapshot_and_every_table(pair: DualRun) -> None:
    outcome = pair.sync(run_id="run 7")
    last, entries = ledger(pair.uri)
    assert last is not None
    assert (last.run_id, last.snapshot_id, last.snapshot_bytes) == (
        "run 7",
        outcome.snapshot.id,
        outcome.snapshot.bytes,
    )
    assert last.source_rows == ROWS * len(ALL_TABLES)
    assert entries.keys() == ALL_TABLES
    village = entries["Village"]
    assert (village.publication, village.rows, village.held_rows, village.target.rows) == (last.id, ROWS, 0, ROWS)
    assert dict(village.nulls) == {"id": 0, "name": 0, "createdAt": 0, "updatedAt": 0}
    (digest,) = ask_postgres(
        pair.uri, 'SELECT sum(hashint8extended(hash_record_extended(v, 0), 0))::text FROM "Village" v'
    )
    assert (str(village.target.total),) == digest


def test_digests_follow_the_content_and_come_back_with_it(pair: DualRun) -> None:
    _, first = ledger(pair.uri)
    pair.change(RENAME)
    pair.converge()
    _, second = ledger(pair.uri)
    moved = {
        name
        for name in ALL_TABLES
        if (first[name].source_digest, first[name].target) != (second[name].source_digest, second[name].target)
    }
    assert moved == {"Village"}
    pair.change("""UPDATE "Village" SET "name" = 'name 1' WHERE "id" = 'Village-1'""")
    pair.converge()
    _, third = ledger(pair.uri)
    assert (third["Village"].source_digest, third["Village"].target) == (
        first["Village"].source_digest,
        first["Village"].target,
    )


def test_publishing_one_table_leaves_the_entries_of_the_others(pair: DualRun) -> None:
    pair.change(RENAME)
    assert pair.sync(publish=frozenset({"Village"})).problem is None
    last, entries = ledger(pair.uri)
    assert last is not None
    assert {name for name, entry in entries.items() if entry.publication == last.id} == {"Village"}
    assert entries.keys() == ALL_TABLES


def test_a_refused_sync_leaves_no_entry(pair: DualRun) -> None:
    before = ledger(pair.uri)
    run_postgres(pair.uri, """UPDATE "Village" SET "name" = 'x'""")
    with pytest.raises(RefusedError):
        pair.sync(on_tamper=OnTamper.STOP)
    assert ledger(pair.uri) == before


def test_another_schema_has_a_ledger_of_its_own(pair: DualRun) -> None:
    assert ledger(pair.uri, "other") == (None, {})


def test_a_digest_made_another_way_is_not_compared(pair: DualRun) -> None:
    run_postgres(pair.uri, "UPDATE odyssey_sync.published_table SET digest_algorithm = 'other'")
    assert {entry.source_digest for entry in ledger(pair.uri)[1].values()} == {None}


def test_a_digest_of_the_target_made_another_way_fits_no_server(pair: DualRun) -> None:
    assert None not in {entry.server_version for entry in ledger(pair.uri)[1].values()}
    run_postgres(pair.uri, "UPDATE odyssey_sync.published_table SET target_method = 'other'")
    assert {entry.server_version for entry in ledger(pair.uri)[1].values()} == {None}


def test_a_ledger_that_does_not_say_how_digests_were_made_is_read_as_made_another_way(pair: DualRun) -> None:
    bring_back(pair.uri, 3)
    _, entries = ledger(pair.uri)
    assert entries.keys() == ALL_TABLES
    assert {entry.server_version for entry in entries.values()} == {None}


def test_old_entries_go_and_the_newest_of_each_table_stays(pair: DualRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("odyssey_assets.sync.ledger.PUBLICATIONS_KEPT", 2)
    for number in range(4):
        pair.change(f"""UPDATE "Village" SET "name" = 'renamed {number}' WHERE "id" = 'Village-1'""")
        pair.sync(publish=frozenset({"Village"}))
    kept = ask_postgres(
        pair.uri, "SELECT table_name = 'Village', count(*) FROM odyssey_sync.published_table GROUP BY 1 ORDER BY 1"
    )
    assert kept == [(False, len(ALL_TABLES) - 1), (True, 2)]
    assert pair.converge() == {}
