"""What the UI shows of a table before and after a run."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from odyssey_assets.assets import odyssey_tables
from odyssey_assets.metadata import outcome_metadata
from odyssey_assets.source.snapshot import Snapshot
from odyssey_assets.sync.outcome import Outcome, TableOutcome, TableStatus
from odyssey_assets_tests.dagster_layer.conftest import FACTS, materialized
from odyssey_assets_tests.statements import ask_postgres

SPECS = {spec.key.to_user_string(): spec for spec in odyssey_tables.specs}
SNAPSHOT = Snapshot(
    "20261231T000000000000Z-abcdef", Path("snapshot.db"), "0" * 64, datetime(2026, 12, 31, tzinfo=UTC), 1
)


def schema_of(table: str) -> dg.TableSchema:
    value = SPECS[table].metadata["dagster/column_schema"]
    return value if isinstance(value, dg.TableSchema) else value.value


def test_every_table_shows_the_columns_prisma_gives_it() -> None:
    for table, facts in FACTS.items():
        columns = schema_of(table).columns
        assert [column.name for column in columns] == [column["name"] for column in facts["columns"]]
        for column, expected in zip(columns, facts["columns"], strict=True):
            assert column.type == expected["postgres_type"], (table, column.name)
            assert column.constraints.nullable == expected["nullable"], (table, column.name)
            assert column.description == ("JSON document" if expected.get("holds_json") else None)


def test_a_column_is_unique_where_a_key_or_an_index_of_its_own_says_so() -> None:
    for table, facts in FACTS.items():
        alone = [index["columns"] for index in facts["indexes"] if index["unique"]]
        if facts["primary_key"]:
            alone.append(facts["primary_key"]["columns"])
        for column in schema_of(table).columns:
            assert column.constraints.unique == ([column.name] in alone), (table, column.name)


def test_every_column_comes_from_the_same_column_of_the_source() -> None:
    for table, facts in FACTS.items():
        value = SPECS[table].metadata["dagster/column_lineage"]
        lineage = value if isinstance(value, dg.TableColumnLineage) else value.value
        assert {
            name: [(dep.asset_key.to_user_string(), dep.column_name) for dep in deps]
            for name, deps in lineage.deps_by_column.items()
        } == {column["name"]: [(f"sqlite/{table}", column["name"])] for column in facts["columns"]}


def test_every_table_says_its_name_and_its_versions() -> None:
    assert SPECS["Vote"].metadata["dagster/table_name"] == "public.Vote"
    assert SPECS["Vote"].metadata["odyssey/schema_versions"] == "v1, v2, v3, v4, v5"
    assert SPECS["UserPoints"].metadata["odyssey/schema_versions"] == "v5"


def test_numbers_of_a_run_are_attached_under_their_names() -> None:
    table = TableOutcome(
        "Vote",
        TableStatus.SYNCED,
        source_rows=7,
        target_rows=7,
        inserted=3,
        updated=2,
        deleted=1,
        seconds=0.12345,
        bytes=8192,
    )
    assert outcome_metadata(Outcome(SNAPSHOT, 5, (table,), {}), table) == {
        "dagster/row_count": 7,
        "odyssey/rows_inserted": 3,
        "odyssey/rows_updated": 2,
        "odyssey/rows_deleted": 1,
        "odyssey/seconds": 0.123,
        "odyssey/bytes": 8192,
        "odyssey/snapshot_id": SNAPSHOT.id,
        "odyssey/status": "synced",
    }


@pytest.mark.usefixtures("surroundings")
def test_a_run_attaches_what_really_happened(surroundings: str, source: Path, instance: dg.DagsterInstance) -> None:
    result = materialized(instance, source, dg.AssetSelection.assets("Village"))
    (event,) = result.get_asset_materialization_events()
    metadata = {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}
    ((rows, size),) = ask_postgres(
        surroundings, """SELECT count(*), pg_total_relation_size('"Village"') FROM "Village" """
    )
    assert metadata["dagster/row_count"] == metadata["odyssey/rows_inserted"] == rows > 0
    assert metadata["odyssey/rows_updated"] == metadata["odyssey/rows_deleted"] == 0
    assert metadata["odyssey/bytes"] == size
    assert metadata["odyssey/status"] == "loaded"
    assert metadata["odyssey/seconds"] >= 0
    (snapshot,) = (source.parent / "state" / "snapshots").glob("snapshot-*.db")
    assert metadata["odyssey/snapshot_id"] in snapshot.name
