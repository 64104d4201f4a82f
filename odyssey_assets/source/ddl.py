"""The application's SQLite schema as ``prisma migrate`` writes it.

Belongs here: SQLite DDL derived from the model. Does not belong here: what a given file really has (``inspection``).
"""

from sqlalchemy import Boolean, Column, DefaultClause, Double, Integer, MetaData, Table
from sqlalchemy.dialects.postgresql import TIMESTAMP

from odyssey_assets.model.identifiers import quoted


def create_schema_sql(schema: MetaData) -> list[str]:
    """Every CREATE TABLE and CREATE INDEX, parents first."""
    statements: list[str] = []
    for table in schema.sorted_tables:
        statements.append(create_table_sql(table))
        statements.extend(create_indexes_sql(table))
    return statements


def create_table_sql(table: Table) -> str:
    key = list(table.primary_key.columns.keys())
    lines = [_column_sql(column, is_key=key == [column.name]) for column in table.columns]
    for constraint in sorted(table.foreign_key_constraints, key=lambda each: str(each.name)):
        (element,) = constraint.elements
        lines.append(
            f"CONSTRAINT {quoted(str(constraint.name))} FOREIGN KEY ({quoted(constraint.column_keys[0])}) "
            f"REFERENCES {quoted(element.column.table.name)} ({quoted(element.column.name)}) "
            f"ON DELETE {constraint.ondelete} ON UPDATE {constraint.onupdate}"
        )
    body = ",\n    ".join(lines)
    return f"CREATE TABLE {quoted(table.name)} (\n    {body}\n)"


def create_indexes_sql(table: Table) -> list[str]:
    """Secondary indexes; a join table's primary key is a unique index in Prisma's SQLite."""
    statements = [
        f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {quoted(str(index.name))} "
        f"ON {quoted(table.name)}({', '.join(map(quoted, index.columns.keys()))})"
        for index in sorted(table.indexes, key=lambda each: str(each.name))
    ]
    if len(table.primary_key.columns) == 2:
        statements.insert(
            0,
            f"CREATE UNIQUE INDEX {quoted(table.name + '_AB_unique')} "
            f"ON {quoted(table.name)}({quoted('A')}, {quoted('B')})",
        )
    return statements


def _column_sql(column: Column[object], *, is_key: bool) -> str:
    parts = [quoted(column.name), sqlite_type(column)]
    if not column.nullable:
        parts.append("NOT NULL")
    if is_key:
        parts.append("PRIMARY KEY")
    if isinstance(column.server_default, DefaultClause):
        parts.append(f"DEFAULT {column.server_default.arg}")
    return " ".join(parts)


def sqlite_type(column: Column[object]) -> str:
    """Prisma's SQLite type name; it decides the column's affinity."""
    match column.type:
        case Boolean():
            return "BOOLEAN"
        case TIMESTAMP():
            return "DATETIME"
        case Double():
            return "REAL"
        case Integer():
            return "INTEGER"
        case _:
            return "TEXT"
