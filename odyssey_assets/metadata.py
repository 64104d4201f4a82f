"""How tables look in the Dagster UI: keys, kinds, columns, lineage, and what a run attaches to them.

Belongs here: translating model and outcomes into Dagster metadata. Does not belong here: assets or checks themselves.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from odyssey_assets.compare.checks import CheckResult
from odyssey_assets.compare.differences import Difference
from odyssey_assets.model.kinds import Kind, kind_of
from odyssey_assets.report.document import difference_document
from odyssey_assets.sync.ledger import LedgerEntry
from odyssey_assets.sync.outcome import Outcome, TableOutcome

SQLITE_ASSET = dg.AssetKey("odyssey_sqlite")

CUTOVER_ASSET = dg.AssetKey("odyssey_cutover")

OWNERS = ["team:data-engineering"]

ROWS_BEHIND = "odyssey/rows_behind"
ROWS_INSERTED = "odyssey/rows_inserted"
ROWS_UPDATED = "odyssey/rows_updated"
ROWS_DELETED = "odyssey/rows_deleted"
SECONDS = "odyssey/seconds"
BYTES = "odyssey/bytes"
SNAPSHOT_ID = "odyssey/snapshot_id"
STATUS = "odyssey/status"
REPORT = "odyssey/report"

DATA_VERSION_TAG = "dagster/data_version"
"""Dagster's own name for the tag by which an observation tells a data version."""

MODE_TAG = "odyssey/mode"
MIGRATE_MODE = "migrate"
"""A run with this mode refuses tables that hold other rows; every other run applies the differences."""

WRITES_TAG = {"odyssey/writes": "true"}
"""On every run of a job that may write, to find them by; runs started from an asset's page carry no job's tags."""

POOL = "odyssey_postgres"
"""Of the one op; ``dagster.yaml`` lets one run of it at a time through, whichever job or page started it."""

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def asset_key(table: str) -> dg.AssetKey:
    return dg.AssetKey(table)


def source_key(table: str) -> dg.AssetKey:
    """The table as SQLite holds it."""
    return dg.AssetKey(["sqlite", table])


def table_metadata(table: Table) -> dict[str, Any]:
    """What is known of a table before any run."""
    return {
        "dagster/table_name": f"public.{table.name}",
        "dagster/column_schema": column_schema(table),
        "dagster/column_lineage": column_lineage(table),
        "odyssey/schema_versions": ", ".join(f"v{version}" for version in sorted(table.info["versions"])),
    }


def column_schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=_type_name(column),
                description="JSON document" if column.info["json"] else None,
                constraints=dg.TableColumnConstraints(
                    nullable=bool(column.nullable), unique=_is_unique(table, column.name)
                ),
            )
            for column in table.columns
        ]
    )


def _type_name(column: Column[Any]) -> str:
    """The type as PostgreSQL itself names it."""
    if kind_of(column) is Kind.ENUM:
        return str(column.type.name)  # type: ignore[attr-defined]
    return str(column.type.compile(dialect=_DIALECT)).lower()


def column_lineage(table: Table) -> dg.TableColumnLineage:
    """Every column comes from the column of the same name in SQLite."""
    return dg.TableColumnLineage(
        {column.name: [dg.TableColumnDep(source_key(table.name), column.name)] for column in table.columns}
    )


def content_version(table: TableOutcome) -> str:
    """A published table's content as a data version: equal exactly when the content is."""
    return str(table.comparison.source_digest) if table.comparison is not None else "absent"


def entry_version(entry: LedgerEntry) -> str:
    """The same of a table as the ledger knows it."""
    return f"publication {entry.publication}" if entry.source_digest is None else str(entry.source_digest)


def outcome_metadata(outcome: Outcome, table: TableOutcome) -> dict[str, Any]:
    """What a run attaches to a materialized table; every number is plotted over time."""
    return {
        "dagster/row_count": table.target_rows,
        ROWS_INSERTED: table.inserted,
        ROWS_UPDATED: table.updated,
        ROWS_DELETED: table.deleted,
        SECONDS: round(table.seconds, 3),
        BYTES: table.bytes or 0,
        SNAPSHOT_ID: outcome.snapshot.id,
        STATUS: table.status.value,
    }


def check_metadata(check: CheckResult, *, show_values: bool) -> dict[str, Any]:
    """A verdict's numbers, and the rows it names as a table."""
    metadata: dict[str, Any] = {
        "differences": check.differences,
        "looked_at_rows": check.looked_at_rows,
    }
    if check.listed:
        metadata["rows"] = dg.MetadataValue.table(
            [dg.TableRecord(_record(check.table, each, show_values=show_values)) for each in check.listed]
        )
    return metadata


def _record(table: str, difference: Difference, *, show_values: bool) -> Mapping[str, str]:
    document = difference_document(table, difference, show_values=show_values)
    key = document["key"]
    assert isinstance(key, dict)
    record = {
        "difference": str(document["kind"]),
        "key": ", ".join(f"{name}={value}" for name, value in key.items()),
        "column": str(document.get("column", "")),
    }
    if show_values:
        record |= {"source": repr(document.get("source", "")), "target": repr(document.get("target", ""))}
    return record


def _is_unique(table: Table, column: str) -> bool:
    uniques = [index.columns.keys() for index in table.indexes if index.unique]
    return [column] in [*uniques, list(table.primary_key.columns.keys())]
