"""The asset checks: what the UI shows before a run, and a verdict in Dagster's form after it.

Belongs here: specs and translation. Does not belong here: deciding whether a check passes (``compare.checks``).
"""

import dagster as dg
from sqlalchemy import Table

from odyssey_assets.compare.checks import CHECK_DESCRIPTIONS, CheckName, CheckResult
from odyssey_assets.findings import Severity
from odyssey_assets.metadata import asset_key, check_metadata

_SEVERITY = {Severity.ERROR: dg.AssetCheckSeverity.ERROR, Severity.WARNING: dg.AssetCheckSeverity.WARN}


def check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """The checks of one table."""
    return [
        dg.AssetCheckSpec(name.value, asset=asset_key(table.name), description=CHECK_DESCRIPTIONS[name])
        for name in CheckName
    ]


def check_key(table: str, name: str) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(asset_key(table), name)


def check_result(check: CheckResult, *, show_values: bool) -> dg.AssetCheckResult:
    """One verdict; ``asset_key`` is set, since Dagster demands it inside a MaterializeResult of a multi-asset."""
    return dg.AssetCheckResult(
        passed=check.passed,
        asset_key=asset_key(check.table),
        check_name=check.name.value,
        severity=_SEVERITY[check.severity],
        description=check.detail,
        metadata=check_metadata(check, show_values=show_values),
    )
