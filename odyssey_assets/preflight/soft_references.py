"""Ids without a constraint that lead nowhere: warnings, since the application already lives with them."""

import sqlite3
from collections.abc import Iterator

from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.soft_references import SOFT_REFERENCES, SoftReference
from odyssey_assets.source.inspection import SourceCatalog

DANGLING = "dangling_soft_reference"


def soft_reference_findings(connection: sqlite3.Connection, source: SourceCatalog) -> Iterator[Finding]:
    """One finding for each soft reference with rows that dangle, naming the first of them."""
    for reference in SOFT_REFERENCES:
        child, parent = source.tables.get(reference.table), source.tables.get(reference.parent)
        if child is None or parent is None or reference.column not in child.column_names or not child.has_rowid:
            continue
        sql = _list_sql(reference) if reference.is_list else _single_sql(reference)
        count, first = connection.execute(f"SELECT count(*), min(row) FROM ({sql})").fetchone()
        if count:
            verb = "list" if reference.is_list else "name"
            yield Finding(
                Severity.WARNING,
                DANGLING,
                reference.table,
                reference.column,
                _key(connection, reference.table, child.primary_key, first),
                count,
                f"rows that {verb} a {reference.parent} that does not exist: {count:,}",
            )


def _single_sql(reference: SoftReference) -> str:
    return (
        f"SELECT child.rowid AS row FROM {quoted(reference.table)} child "
        f"WHERE child.{quoted(reference.column)} IS NOT NULL AND NOT EXISTS "
        f"(SELECT 1 FROM {quoted(reference.parent)} parent WHERE parent.id = child.{quoted(reference.column)})"
    )


def _list_sql(reference: SoftReference) -> str:
    column = f"child.{quoted(reference.column)}"
    return (
        f"SELECT DISTINCT child.rowid AS row FROM {quoted(reference.table)} child, "
        f"json_each(CASE WHEN json_valid({column}) THEN {column} ELSE '[]' END) listed "
        f"WHERE NOT EXISTS (SELECT 1 FROM {quoted(reference.parent)} parent WHERE parent.id = listed.value)"
    )


def _key(connection: sqlite3.Connection, table: str, key: tuple[str, ...], rowid: int) -> dict[str, object]:
    columns = ", ".join(map(quoted, key)) or "rowid"
    values = connection.execute(f"SELECT {columns} FROM {quoted(table)} WHERE rowid = ?", (rowid,)).fetchone()
    return dict(zip(key or ("rowid",), values, strict=True))
