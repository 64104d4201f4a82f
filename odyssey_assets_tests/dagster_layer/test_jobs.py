"""The jobs: which assets and checks each is about, and what running them does."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from odyssey_assets.definitions import build_definitions
from odyssey_assets_tests.dagster_layer.conftest import (
    CHECKS,
    FACTS,
    QUIET,
    message,
    tables_materialized,
    verdicts,
)
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.statements import ask_postgres, run_postgres

SOME = ("Village", "HRISSync")


def run_job(
    instance: dg.DagsterInstance, job: str, source: Path, tables: tuple[str, ...] | None = None, **engine: Any
) -> dg.ExecuteInProcessResult:
    configured: dict[str, Any] = {"resources": {"odyssey": {"config": {"sqlite_path": str(source), **engine}}}}
    return (
        build_definitions(tables=tables)
        .resolve_job_def(job)
        .execute_in_process(run_config=QUIET | configured, instance=instance, raise_on_error=False)
    )


def selected(job: str, tables: tuple[str, ...] | None) -> tuple[set[str], set[tuple[str, str]]]:
    layer = build_definitions(tables=tables).resolve_job_def(job).asset_layer
    return (
        {key.to_user_string() for key in layer.selected_asset_keys},
        {(key.asset_key.to_user_string(), key.name) for key in layer.asset_graph.asset_check_keys},
    )


@pytest.mark.parametrize("tables", [None, SOME])
def test_migrate_is_about_tables_and_their_checks(tables: tuple[str, ...] | None) -> None:
    names = set(tables or FACTS)
    assert selected("migrate", tables) == (names, {(table, check) for table in names for check in CHECKS})


@pytest.mark.parametrize("tables", [None, SOME])
def test_verify_is_about_checks_alone(tables: tuple[str, ...] | None) -> None:
    assets, checks = selected("verify", tables)
    assert assets == set()
    assert checks == {(table, check) for table in tables or FACTS for check in CHECKS}


def test_jobs_say_what_they_do() -> None:
    for job in build_definitions().resolve_all_job_defs():
        assert job.name.startswith("__") or job.description


def test_migrate_carries_its_tables_and_verify_finds_them_equal(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    migrated = run_job(instance, "migrate", source, SOME)
    assert migrated.success
    assert tables_materialized(migrated) == set(SOME)
    unequal = {re.split(r"\W", each)[0] for each in differences(source, surroundings, limit=100_000)}
    assert "User" in unequal
    assert unequal.isdisjoint(SOME)
    before = dump(surroundings)
    verified = run_job(instance, "verify", source, SOME)
    assert verified.success
    assert tables_materialized(verified) == set()
    assert set(verdicts(verified)) == {(table, check) for table in SOME for check in CHECKS}
    assert dump(surroundings) == before


def test_migrate_refuses_a_target_that_holds_other_rows(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    assert run_job(instance, "migrate", source, SOME).success
    run_postgres(surroundings, "UPDATE \"Village\" SET name = 'Elsewhere'")
    ((rows,),) = ask_postgres(surroundings, 'SELECT count(*) FROM "Village"')
    before = dump(surroundings)
    refused = run_job(instance, "migrate", source, SOME)
    assert not refused.success
    assert tables_materialized(refused) == set()
    assert f"Village: sync would insert 0, update {rows} and delete 0 rows" in message(refused)
    assert not verdicts(refused)["Village", "rows_equal"].passed
    assert verdicts(refused)["HRISSync", "rows_equal"].passed
    assert dump(surroundings) == before


def test_verify_of_a_target_without_tables_says_what_to_do_first(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    result = run_job(instance, "verify", source)
    assert not result.success
    assert "Run odyssey migrate first." in message(result)
    assert dump(surroundings) == {}


def test_documents_can_be_created_as_jsonb(surroundings: str, source: Path, instance: dg.DagsterInstance) -> None:
    assert run_job(instance, "migrate", source, ("Village", "User"), json_as_jsonb=True).success
    ((count,),) = ask_postgres(
        surroundings,
        "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "WHERE a.atttypid = 'jsonb'::regtype AND c.relnamespace = 'public'::regnamespace",
    )
    assert count == sum(bool(column.get("holds_json")) for table in FACTS.values() for column in table["columns"])


def test_runs_that_may_write_say_so_to_the_queue() -> None:
    definitions = build_definitions()
    assert definitions.resolve_job_def("migrate").tags["odyssey/writes"] == "true"
    assert "odyssey/writes" not in definitions.resolve_job_def("verify").tags
