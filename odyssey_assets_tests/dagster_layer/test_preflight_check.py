"""The asset check of the SQLite file: findings as a table in the UI, and nothing changed by looking."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from odyssey_assets.definitions import build_definitions
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.preflight.run import PreflightVerdict
from odyssey_assets.preflight_check import FINDINGS_SHOWN, PREFLIGHT_CHECK, preflight_result
from odyssey_assets.resources import OdysseyEngine
from odyssey_assets.source.snapshot import take_snapshot
from odyssey_assets_tests.dagster_layer.conftest import QUIET, everything_recorded, message
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.plain_source import plant, write_database
from odyssey_assets_tests.statements import prisma_sql, run_postgres


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return write_database(tmp_path / "odyssey.db")


def looked_at(instance: dg.DagsterInstance, source: Path, **engine: Any) -> dg.ExecuteInProcessResult:
    """The job as the UI starts it."""
    definitions = build_definitions(odyssey=OdysseyEngine(sqlite_path=str(source), **engine))
    job = definitions.resolve_job_def("preflight")
    return job.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)


def verdict_of(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (verdict,) = result.get_asset_check_evaluations()
    assert (verdict.asset_key, verdict.check_name) == (PREFLIGHT_CHECK.asset_key, "preflight")
    return verdict


def records(verdict: dg.AssetCheckEvaluation) -> list[dict[str, Any]]:
    return [dict(record.data) for record in verdict.metadata["findings"].records]  # type: ignore[attr-defined]


def test_a_sound_source_and_an_empty_target_pass(surroundings: str, plain: Path, instance: dg.DagsterInstance) -> None:
    result = looked_at(instance, plain)
    assert result.success
    verdict = verdict_of(result)
    assert verdict.passed
    assert records(verdict) == []
    assert verdict.metadata["source"].value["rows"] == 2 * 37
    assert dump(surroundings) == {}


def test_findings_are_rows_of_a_table_and_errors_fail_the_check(
    surroundings: str, plain: Path, instance: dg.DagsterInstance
) -> None:
    run_postgres(surroundings, prisma_sql(5))
    before = dump(surroundings)
    plant(plain, "AuditLog", 1, userId="nobody")
    plant(plain, "User", 2, role="CEO")
    verdict = verdict_of(looked_at(instance, plain))
    assert not verdict.passed
    assert verdict.severity is dg.AssetCheckSeverity.ERROR
    found = records(verdict)
    assert found[0] == {
        "severity": "error",
        "kind": "unknown_enum_label",
        "table": "User",
        "column": "role",
        "key": "id=User-1",
        "count": 1,
        "detail": "not a label of the enum Role; allowed are " + found[0]["detail"].rpartition("are ")[2],
    }
    assert {"severity": "warning", "kind": "dangling_soft_reference", "table": "AuditLog"}.items() <= next(
        each for each in found if each["table"] == "AuditLog"
    ).items()
    assert [each["severity"] for each in found] == sorted(each["severity"] for each in found)
    assert verdict.metadata["errors"].value == 1
    assert dump(surroundings) == before


def test_warnings_alone_pass(surroundings: str, plain: Path, instance: dg.DagsterInstance) -> None:
    plant(plain, "AuditLog", 1, userId="nobody")
    verdict = verdict_of(looked_at(instance, plain))
    assert verdict.passed
    assert [each["severity"] for each in records(verdict)] == ["warning"]


def test_a_secret_key_is_never_shown(surroundings: str, plain: Path, instance: dg.DagsterInstance) -> None:
    plant(plain, "VerificationToken", 1, token="very-secret", expires="never")
    result = looked_at(instance, plain)
    assert records(verdict_of(result))[0]["key"].startswith("token=sha256:")
    assert "very-secret" not in everything_recorded(instance, result.run_id)


def test_what_may_be_left_behind_is_the_engines_to_say(
    surroundings: str, plain: Path, instance: dg.DagsterInstance
) -> None:
    from odyssey_assets_tests.statements import run_sqlite

    run_sqlite(plain, 'CREATE TABLE "Diary" ("id" TEXT)')
    assert not verdict_of(looked_at(instance, plain)).passed
    assert verdict_of(looked_at(instance, plain, ignore_unknown=["Diary"])).passed


def test_a_source_that_is_not_there_fails_the_run_in_one_sentence(
    surroundings: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    result = looked_at(instance, tmp_path / "nowhere.db")
    assert not result.success
    assert message(result).startswith(f"There is no SQLite file at {tmp_path / 'nowhere.db'}.")


@pytest.mark.parametrize("job", ["migrate", "sync", "verify", "observe"])
def test_no_other_job_runs_it(job: str) -> None:
    selected = build_definitions().resolve_job_def(job).asset_layer.selected_asset_keys
    checks = build_definitions().resolve_job_def(job).asset_layer.asset_graph.asset_check_keys
    assert PREFLIGHT_CHECK.asset_key not in selected
    assert PREFLIGHT_CHECK not in checks


def test_of_very_many_findings_errors_come_first_and_the_rest_is_counted(plain: Path, tmp_path: Path) -> None:
    warning, error = (Finding(severity, "some_kind", "T") for severity in (Severity.WARNING, Severity.ERROR))
    findings = (*[warning] * FINDINGS_SHOWN, error)
    verdict = PreflightVerdict(take_snapshot(plain, tmp_path / "snapshots"), {}, {}, findings, ())
    result = preflight_result(verdict)
    shown = result.metadata["findings"].records  # type: ignore[attr-defined]
    assert len(shown) == FINDINGS_SHOWN
    assert shown[0].data["severity"] == "error"
    assert result.metadata["findings_not_shown"].value == 1
    assert result.description == f"1 errors, {FINDINGS_SHOWN} warnings"
