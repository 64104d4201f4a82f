"""The asset check ``preflight`` of the SQLite file: everything that stands in the way of a run, as a table in the UI.

Belongs here: Dagster's form of it. Does not belong here: looking for findings (``preflight``), or the checks of the
tables (``checks``).
"""

import dagster as dg

from odyssey_assets.errors import OdysseyError, UnreachableError
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.metadata import SNAPSHOT_ID, SQLITE_ASSET
from odyssey_assets.preflight.run import PreflightVerdict
from odyssey_assets.report.document import finding_document
from odyssey_assets.resources import OdysseyEngine

PREFLIGHT_CHECK = dg.AssetCheckKey(SQLITE_ASSET, "preflight")

FINDINGS_SHOWN = 500
"""Rows of the table in the UI, errors first; the command ``odyssey preflight`` has all."""

_TABLE = dg.TableSchema(
    columns=[
        dg.TableColumn("severity", "string"),
        dg.TableColumn("kind", "string"),
        dg.TableColumn("table", "string"),
        dg.TableColumn("column", "string"),
        dg.TableColumn("key", "string"),
        dg.TableColumn("count", "int", description="rows this line speaks for"),
        dg.TableColumn("detail", "string"),
    ]
)


@dg.asset_check(
    asset=SQLITE_ASSET,
    name=PREFLIGHT_CHECK.name,
    description="Nothing in the SQLite file or in PostgreSQL stands in the way of carrying every row. Changes nothing.",
)
def preflight_check(odyssey: OdysseyEngine) -> dg.AssetCheckResult:
    try:
        verdict = odyssey.preflight()
    except OdysseyError as error:
        raise dg.Failure(str(error), allow_retries=isinstance(error, UnreachableError)) from None
    return preflight_result(verdict)


def preflight_result(verdict: PreflightVerdict) -> dg.AssetCheckResult:
    """Passed where there is no error; warnings are in the table alone."""
    errors = [each for each in verdict.findings if each.severity is Severity.ERROR]
    warnings = [each for each in verdict.findings if each.severity is Severity.WARNING]
    shown = [*errors, *warnings][:FINDINGS_SHOWN]
    return dg.AssetCheckResult(
        passed=verdict.ok,
        asset_key=SQLITE_ASSET,
        check_name=PREFLIGHT_CHECK.name,
        description=f"{len(errors):,} errors, {len(warnings):,} warnings",
        metadata={
            "findings": dg.MetadataValue.table([_record(each) for each in shown], schema=_TABLE),
            "errors": len(errors),
            "warnings": len(warnings),
            "findings_not_shown": len(errors) + len(warnings) - len(shown),
            SNAPSHOT_ID: verdict.snapshot.id,
            "source": dg.MetadataValue.json(verdict.source),
            "target": dg.MetadataValue.json(verdict.target),
        },
    )


def _record(finding: Finding) -> dg.TableRecord:
    document = finding_document(finding)
    key = document["key"]
    named = ", ".join(f"{name}={value}" for name, value in key.items()) if isinstance(key, dict) else ""
    return dg.TableRecord(
        {
            "severity": str(document["severity"]),
            "kind": finding.kind,
            "table": finding.table,
            "column": finding.column or "",
            "key": named,
            "count": finding.count,
            "detail": finding.detail,
        }
    )
