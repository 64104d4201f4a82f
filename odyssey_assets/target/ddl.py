"""The schema ``prisma migrate deploy`` would create in PostgreSQL, name for name, from the model.

Belongs here: PostgreSQL DDL text derived from the model. Does not belong here: running it, or what is there already.
"""

from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind, kind_of
from odyssey_assets.model.schema import enums_of

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def create_schema_sql(schema: MetaData, *, json_as_jsonb: bool = False) -> list[str]:
    """Enums, tables, indexes, then foreign keys, in Prisma's order. The search path decides the schema."""
    enums = {enum.name: enum for table in schema.sorted_tables for enum in enums_of(table).values()}
    statements = [
        f"CREATE TYPE {quoted(str(name))} AS ENUM ({', '.join(_literal(label) for label in enum.enums)})"
        for name, enum in sorted(enums.items())
    ]
    tables = (_with_jsonb(schema) if json_as_jsonb else schema).sorted_tables
    for table in tables:
        statements.append(_text(CreateTable(table, include_foreign_key_constraints=[])))
    for table in tables:
        statements.extend(_text(CreateIndex(index)) for index in sorted(table.indexes, key=lambda each: str(each.name)))
    for table in tables:
        statements.extend(
            _text(AddConstraint(constraint))
            for constraint in sorted(table.foreign_key_constraints, key=lambda each: str(each.name))
        )
    return statements


def _with_jsonb(schema: MetaData) -> MetaData:
    copy = MetaData()
    for table in schema.sorted_tables:
        for column in table.to_metadata(copy).columns:
            if kind_of(column) is Kind.JSON:
                column.type = postgresql.JSONB()
    return copy


def _text(element: CreateTable | CreateIndex | AddConstraint) -> str:
    return str(element.compile(dialect=_DIALECT)).strip()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
