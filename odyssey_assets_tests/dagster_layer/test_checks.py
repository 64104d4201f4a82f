"""The checks as Dagster knows them: every check on every table, and verdicts translated whole."""

import dagster as dg
import pytest

from odyssey_assets.assets import odyssey_tables
from odyssey_assets.checks import check_key, check_result
from odyssey_assets.compare.checks import CheckName, CheckResult
from odyssey_assets.compare.differences import Difference, DifferenceKind
from odyssey_assets.findings import Severity
from odyssey_assets_tests.dagster_layer.conftest import CHECKS, FACTS

DIFFERENCE = Difference(DifferenceKind.CHANGED, {"id": "v1"}, "weight", 1.0, 2.0)


def verdict(**parts: object) -> CheckResult:
    usual = {
        "table": "Vote",
        "name": CheckName.ROWS_EQUAL,
        "passed": False,
        "differences": 1,
        "looked_at_rows": 280,
        "detail": "0 missing, 0 extra, 1 changed rows",
    }
    return CheckResult(**{**usual, **parts})  # type: ignore[arg-type]


def test_the_four_that_prove_a_table_equal_are_among_the_checks() -> None:
    assert {"row_count", "nulls", "foreign_keys", "rows_equal"} < CHECKS


def test_every_table_has_every_check() -> None:
    found = {(spec.asset_key.to_user_string(), spec.name) for spec in odyssey_tables.check_specs}
    assert found == {(table, check) for table in FACTS for check in CHECKS}


def test_every_check_says_what_it_demands_and_stops_nothing_by_itself() -> None:
    for spec in odyssey_tables.check_specs:
        assert spec.description
        assert not spec.blocking


def test_a_key_names_table_and_check() -> None:
    assert check_key("Vote", "nulls") == dg.AssetCheckKey(dg.AssetKey("Vote"), "nulls")


def test_a_verdict_is_translated_with_its_numbers_and_rows() -> None:
    result = check_result(verdict(listed=(DIFFERENCE,)), show_values=False)
    assert (result.passed, result.check_name, result.asset_key) == (False, "rows_equal", dg.AssetKey("Vote"))
    assert result.description == "0 missing, 0 extra, 1 changed rows"
    assert result.severity is dg.AssetCheckSeverity.ERROR
    assert result.metadata["differences"] == dg.IntMetadataValue(1)
    assert result.metadata["looked_at_rows"] == dg.IntMetadataValue(280)
    rows = result.metadata["rows"]
    assert isinstance(rows, dg.TableMetadataValue)
    assert [dict(record.data) for record in rows.records] == [
        {"difference": "changed", "key": "id=v1", "column": "weight"}
    ]


def test_values_are_only_there_where_they_were_asked_for() -> None:
    rows = check_result(verdict(listed=(DIFFERENCE,)), show_values=True).metadata["rows"]
    assert isinstance(rows, dg.TableMetadataValue)
    assert [dict(record.data) for record in rows.records] == [
        {"difference": "changed", "key": "id=v1", "column": "weight", "source": "1.0", "target": "2.0"}
    ]


@pytest.mark.parametrize(
    ("severity", "expected"),
    [(Severity.ERROR, dg.AssetCheckSeverity.ERROR), (Severity.WARNING, dg.AssetCheckSeverity.WARN)],
)
def test_a_warning_stays_a_warning(severity: Severity, expected: dg.AssetCheckSeverity) -> None:
    assert check_result(verdict(severity=severity), show_values=False).severity is expected


def test_a_verdict_without_rows_has_no_table() -> None:
    assert "rows" not in check_result(verdict(passed=True, differences=0), show_values=False).metadata
