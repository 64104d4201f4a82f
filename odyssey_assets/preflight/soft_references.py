"""Ids without a constraint that lead nowhere: warnings, since the application already lives with them."""

import sqlite3
from collections.abc import Iterator, Mapping

import numpy as np

from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.soft_references import SOFT_REFERENCES, SoftReference
from odyssey_assets.preflight.objections import keys_of_rows
from odyssey_assets.source.inspection import SourceCatalog

DANGLING = "dangling_soft_reference"


def soft_reference_findings(
    connection: sqlite3.Connection, source: SourceCatalog, tables: Mapping[str, CarriedTable]
) -> Iterator[Finding]:
    """One finding for each soft reference of these tables with rows that dangle, naming the first of them."""
    for reference in SOFT_REFERENCES:
        child, parent = tables.get(reference.table), source.tables.get(reference.parent)
        if child is None or parent is None:
            continue
        if reference.column not in child.column_names or "id" not in parent.column_names:
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
                next(keys_of_rows(connection, reference.table, child.key, np.array([first]))),
                count,
                f"rows that {verb} a {reference.parent} that does not exist: {count:,}",
            )


def _single_sql(reference: SoftReference) -> str:
    return (
        f"SELECT rowid AS row FROM {quoted(reference.table)} "
        f"WHERE {quoted(reference.column)} IS NOT NULL AND {quoted(reference.column)} NOT IN ({_ids_sql(reference)})"
    )


def _list_sql(reference: SoftReference) -> str:
    column = f"child.{quoted(reference.column)}"
    return (
        f"SELECT DISTINCT child.rowid AS row FROM {quoted(reference.table)} child, "
        f"json_each(CASE WHEN json_valid({column}) THEN {column} ELSE '[]' END) listed "
        f"WHERE listed.value IS NULL OR listed.value NOT IN ({_ids_sql(reference)})"
    )


def _ids_sql(reference: SoftReference) -> str:
    return f"SELECT id FROM {quoted(reference.parent)} WHERE id IS NOT NULL"
