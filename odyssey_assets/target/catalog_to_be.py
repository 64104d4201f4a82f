"""The catalog a schema will have once this project has created it, so that it can be looked at before.

Belongs here: the expectation in the shape of a catalog. Does not belong here: the expectation itself (``expectation``).
"""

import re

from odyssey_assets.model.kinds import Kind
from odyssey_assets.target.catalog import TargetCatalog, TargetColumn, TargetForeignKey, TargetIndex, TargetTable
from odyssey_assets.target.expectation import ExpectedIndex, ExpectedSchema, ExpectedTable, expected_schema

_MODIFIER = re.compile(r"\(\d+\)")


def catalog_to_be(schema: str, version: int, *, json_as_jsonb: bool = False) -> TargetCatalog:
    """What ``read_catalog`` would find after creating the model's schema of ``version``; definitions are left empty."""
    expected = expected_schema(version)
    tables = {name: _table(table, expected, json_as_jsonb) for name, table in expected.tables.items()}
    return TargetCatalog(schema, schema_exists=False, tables=tables, enums=expected.enums)


def _table(table: ExpectedTable, expected: ExpectedSchema, json_as_jsonb: bool) -> TargetTable:
    columns = []
    for column in table.columns:
        type_text = "jsonb" if json_as_jsonb and column.kind is Kind.JSON else column.type_text
        labels = expected.enums.get(column.type_text, ()) if column.kind is Kind.ENUM else ()
        type_name = _MODIFIER.sub("", type_text)
        columns.append(TargetColumn(column.name, type_name, type_text, column.is_required, column.default, labels))
    primary = (_index(table.primary_key, is_primary=True),) if table.primary_key else ()
    foreign_keys = tuple(
        TargetForeignKey(
            key.name,
            table.name,
            key.columns,
            key.parent,
            key.parent_columns,
            key.on_delete,
            key.on_update,
            is_validated=True,
            definition="",
        )
        for key in table.foreign_keys
    )
    return TargetTable(
        table.name,
        tuple(columns),
        (*primary, *(_index(index, is_primary=False) for index in table.indexes)),
        foreign_keys,
        is_owned=True,
        has_triggers=False,
        is_rebuildable=True,
    )


def _index(index: ExpectedIndex, *, is_primary: bool) -> TargetIndex:
    return TargetIndex(index.name, index.columns, index.is_unique, is_primary, "", None, is_valid=True)
