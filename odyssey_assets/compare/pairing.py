"""Which table and column of the source answers to which of the target: by name, never by position.

Belongs here: forming the agreement and listing what stands in its way. Does not belong here: reading rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Column, Table

from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.carried import CarriedColumn, CarriedTable
from odyssey_assets.model.kinds import Kind, kind_of
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.source.inspection import SourceCatalog, SourceTable
from odyssey_assets.target.catalog import TargetCatalog, TargetColumn, TargetTable
from odyssey_assets.target.types import TEXT_TYPES, can_carry


@dataclass(frozen=True)
class Pairing:
    """The tables both sides have, parents first; tables of the model that this source lacks; and every objection."""

    tables: tuple[CarriedTable, ...]
    absent: tuple[str, ...]
    findings: tuple[Finding, ...]


def pair(source: SourceCatalog, target: TargetCatalog, ignore_unknown: frozenset[str] = frozenset()) -> Pairing:
    """Pair two catalogs. ``ignore_unknown`` names tables, or columns as ``Table.column``, that may stay behind."""
    model = {table.name: table for table in tables_in_order()}
    findings = list(_unknown_tables(source, model, ignore_unknown))
    tables: list[CarriedTable] = []
    for name, declared in model.items():
        found = source.tables.get(name)
        if found is None:
            continue
        counterpart = target.tables.get(name)
        if counterpart is None:
            findings.append(Finding(Severity.ERROR, "missing_target_table", name, detail=_MISSING_TABLE))
            continue
        carried, objections = _pair_table(declared, found, counterpart, ignore_unknown)
        findings.extend(objections)
        tables.append(carried)
    absent = tuple(name for name in model if name not in source.tables)
    return Pairing(tuple(tables), absent, tuple(findings))


_MISSING_TABLE = (
    "the source has this table and the target does not: migrate the application's schema in PostgreSQL to the same "
    "version first"
)


def _unknown_tables(source: SourceCatalog, model: dict[str, Table], ignored: frozenset[str]) -> Iterator[Finding]:
    for name in source.tables.keys() - model.keys() - ignored:
        yield Finding(
            Severity.ERROR,
            "unknown_table",
            name,
            detail=f"Odyssey's schema has no such table, so it would be lost; allow that with --ignore-unknown {name}",
        )


def _pair_table(
    declared: Table, source: SourceTable, target: TargetTable, ignored: frozenset[str]
) -> tuple[CarriedTable, list[Finding]]:
    findings: list[Finding] = []
    columns: list[CarriedColumn] = []
    for name in source.column_names:
        counterpart = target.column(name)
        if name not in declared.columns:
            if f"{source.name}.{name}" not in ignored:
                findings.append(_unknown_column(source.name, name))
        elif counterpart is None:
            findings.append(
                Finding(
                    Severity.ERROR,
                    "missing_target_column",
                    source.name,
                    name,
                    detail="it has nowhere to go in PostgreSQL",
                )
            )
        else:
            kind = _kind(declared.columns[name], counterpart)
            columns.append(_carried_column(name, kind, counterpart))
            if not can_carry(kind, counterpart.type_name, counterpart.type_text, is_enum=bool(counterpart.labels)):
                findings.append(_wrong_type(source.name, counterpart, kind))
    findings.extend(_unfillable(source, target))
    by_name = {column.name: column for column in columns}
    ordered = tuple(by_name[column.name] for column in target.columns if column.name in by_name)
    key, is_unique = _key(ordered, target)
    return CarriedTable(source.name, ordered, key, is_unique), findings


def _kind(declared: Column[object], target: TargetColumn) -> Kind:
    """An enum whose column in the target is text has no labels to be held against: it is text."""
    kind = kind_of(declared)
    return Kind.TEXT if kind is Kind.ENUM and target.type_name in TEXT_TYPES else kind


def _carried_column(name: str, kind: Kind, target: TargetColumn) -> CarriedColumn:
    return CarriedColumn(name, kind, target.type_name, target.is_required, target.labels)


def _unknown_column(table: str, column: str) -> Finding:
    return Finding(
        Severity.ERROR,
        "unknown_column",
        table,
        column,
        detail=f"Odyssey's schema has no such column, so it would be lost; allow that with "
        f"--ignore-unknown {table}.{column}",
    )


def _wrong_type(table: str, target: TargetColumn, kind: Kind) -> Finding:
    return Finding(
        Severity.ERROR,
        "wrong_target_type",
        table,
        target.name,
        detail=f"PostgreSQL has it as {target.type_text}, which cannot hold every {kind} value exactly",
    )


def _unfillable(source: SourceTable, target: TargetTable) -> Iterator[Finding]:
    for column in target.columns:
        if column.name not in source.column_names and column.is_required and column.default is None:
            yield Finding(
                Severity.ERROR,
                "unfillable_target_column",
                source.name,
                column.name,
                detail="PostgreSQL requires a value, and the source has no such column",
            )


def _key(columns: tuple[CarriedColumn, ...], target: TargetTable) -> tuple[tuple[str, ...], bool]:
    carried = {column.name for column in columns}
    required = {column.name for column in target.columns if column.is_required}
    candidates = [
        index.columns
        for index in target.indexes
        if index.is_unique and index.is_valid and set(index.columns) <= carried & required
    ]
    if target.primary_key in candidates:
        return target.primary_key, True
    if candidates:
        return min(candidates, key=lambda names: (len(names), names)), True
    return tuple(column.name for column in columns), False
