"""What goes back: which tables and columns both sides have, and what the base has no place for.

Belongs here: shapes that differ. Does not belong here: values that cannot be held (``losses``), or comparing rows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from odyssey_assets.carry_back.refusal import refuse
from odyssey_assets.compare.pairing import pair
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import PRISMA_BOOKKEEPING
from odyssey_assets.source.inspection import SourceCatalog
from odyssey_assets.target.catalog import TargetColumn
from odyssey_assets.target.connection import query
from odyssey_assets.target.table_locks import LockedTarget

_CONSTANT = re.compile(r"true|false|-?[0-9.]+|'(?:[^']|'')*'::[\w\" .]+")
"""Other defaults are not evaluated: one could draw a number from a sequence."""
_NOT_TO_BE_ALLOWED = frozenset({"wrong_target_type"})
_ABSENT_FROM_TARGET = frozenset({"missing_target_table", "missing_target_column"})


@dataclass(frozen=True)
class Agreement:
    """Tables that are carried back, parents first, and tables that stay as the base has them."""

    tables: tuple[CarriedTable, ...]
    stayed: tuple[str, ...]


def agree(base: SourceCatalog, target: LockedTarget, allowed: frozenset[str]) -> Agreement:
    """Pair the base with PostgreSQL. Raises IntegrityError naming everything that would be lost and is not allowed."""
    pairing = pair(base, target.catalog)
    carried = {table.name: table for table in pairing.tables}
    findings = [
        *_objections_of_pairing(pairing.findings, allowed),
        *_lost_columns(target, pairing.tables, allowed),
        *_lost_tables(target, frozenset(carried), allowed),
    ]
    refuse(
        findings,
        "Bring the base's schema to PostgreSQL's, or allow the loss by naming the table, or the column as "
        "Table.column, with --allow-loss.",
    )
    return Agreement(pairing.tables, tuple(sorted(base.tables.keys() - carried.keys())))


def _objections_of_pairing(findings: tuple[Finding, ...], allowed: frozenset[str]) -> Iterator[Finding]:
    """What the base has alone stays where it is and is no objection, unless PostgreSQL should have it."""
    for finding in findings:
        name = f"{finding.table}.{finding.column}" if finding.column else finding.table
        if finding.kind in _NOT_TO_BE_ALLOWED:
            yield finding
        elif finding.kind in _ABSENT_FROM_TARGET and name not in allowed:
            yield Finding(
                Severity.ERROR,
                finding.kind,
                finding.table,
                finding.column,
                detail="PostgreSQL no longer has it, so that nobody can say what it should hold",
            )


def _lost_columns(target: LockedTarget, tables: tuple[CarriedTable, ...], allowed: frozenset[str]) -> Iterator[Finding]:
    for table in tables:
        lost = [
            column
            for column in target.catalog.tables[table.name].columns
            if column.name not in table.column_names and f"{table.name}.{column.name}" not in allowed
        ]
        if not lost:
            continue
        counts = ", ".join(f"{_count_sql(column)} AS {quoted(column.name)}" for column in lost)
        (row,) = query(target.connection, f"SELECT {counts} FROM {_name_sql(target, table.name)}")
        for name, count in row.items():
            if count:
                yield Finding(
                    Severity.ERROR,
                    "column_without_place",
                    table.name,
                    name,
                    count=int(str(count)),
                    detail=f"the SQLite file has no such column, and {count:,} rows have a value in it",
                )


def _count_sql(column: TargetColumn) -> str:
    """How many rows hold what is neither NULL nor a constant default, which would be there again by itself."""
    if column.default is None or not _CONSTANT.fullmatch(column.default):
        return f"count({quoted(column.name)})"
    value, default = f"{quoted(column.name)}::text", f"CAST({column.default} AS {column.type_text})"
    return f"count(*) FILTER (WHERE {value} IS NOT NULL AND {value} IS DISTINCT FROM {default}::text)"


def _lost_tables(target: LockedTarget, carried: frozenset[str], allowed: frozenset[str]) -> Iterator[Finding]:
    for name in sorted(target.catalog.tables.keys() - carried - allowed - {PRISMA_BOOKKEEPING}):
        (row,) = query(target.connection, f"SELECT count(*) AS rows FROM {_name_sql(target, name)}")
        if row["rows"]:
            yield Finding(
                Severity.ERROR,
                "table_without_place",
                name,
                count=int(str(row["rows"])),
                detail=f"the SQLite file has no such table of Odyssey's, and it has {row['rows']:,} rows",
            )


def _name_sql(target: LockedTarget, table: str) -> str:
    return f"{quoted(target.catalog.schema)}.{quoted(table)}"
