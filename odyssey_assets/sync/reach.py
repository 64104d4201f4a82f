"""Refusing deletes and key changes that would reach into rows of tables a run does not bring in step.

Foreign keys are those PostgreSQL really has: also of tables that Odyssey does not know, in this schema or another.

Belongs here: finding such rows and saying so. Does not belong here: other refusals (``guards``), or applying.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from odyssey_assets.errors import RefusedError
from odyssey_assets.model.columns import metadata
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.sync.session import Session
from odyssey_assets.sync.staging import StagedTable, differs_sql, same_key_sql
from odyssey_assets.target.catalog import FOREIGN_KEY_SQL, TargetCatalog
from odyssey_assets.target.connection import query


@dataclass(frozen=True)
class Reference:
    """A foreign key from a table, or from a column of one, that takes no part in a run."""

    schema: str
    table: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    is_readable: bool


def refuse_reaching_out(session: Session, references: tuple[Reference, ...], staged: Mapping[str, StagedTable]) -> None:
    """Raise RefusedError where rows that take no part refer to a row that goes, or to a value of it that changes."""
    for reference in references:
        table = staged.get(reference.parent)
        if table is not None and _has_rows(session, reference, table):
            raise RefusedError(
                f"Rows of {reference.parent} have to be deleted or get other keys, and {_named(session, reference)} "
                f"{'has' if reference.is_readable else 'may have'} rows that refer to them and take no part in this "
                "run.",
                hint=_hint(session, reference),
                table=reference.parent,
            )


def outside_references(session: Session, catalog: TargetCatalog) -> tuple[Reference, ...]:
    """Every foreign key to this schema's tables whose own table or column takes no part in the run."""
    here = (
        Reference(catalog.schema, key.table, key.columns, key.parent, key.parent_columns, is_readable=True)
        for table in catalog.tables.values()
        for key in table.foreign_keys
    )
    elsewhere = (
        Reference(
            str(row["schema"]),
            str(row["name"]),
            tuple(row["columns"]),  # type: ignore[arg-type]
            str(row["parent"]),
            tuple(row["parent_columns"]),  # type: ignore[arg-type]
            bool(row["is_readable"]),
        )
        for row in query(session.connection, _OTHER_SCHEMAS_SQL, [catalog.schema])
    )
    return (*(each for each in here if not _takes_part(session, each.table, each.columns)), *elsewhere)


def _takes_part(session: Session, table: str, columns: Iterable[str]) -> bool:
    source = session.source.tables.get(table) if table in session.request.publish else None
    return source is not None and set(columns) <= set(source.column_names)


def _has_rows(session: Session, reference: Reference, staged: StagedTable) -> bool:
    """Whether any row refers to one that goes or changes; a table that may not be read counts as full of such rows."""
    changed = tuple(
        name for name in reference.parent_columns if name in staged.table.column_names and name not in staged.table.key
    )
    ways = [f"{quoted(staged.deletes)} staged ON {same_key_sql(staged)}"]
    if changed:
        ways.append(f"{quoted(staged.updates)} staged ON {same_key_sql(staged)} AND ({differs_sql(changed)})")
    refers = " AND ".join(
        f"child.{quoted(column)} = live.{quoted(parent)}"
        for column, parent in zip(reference.columns, reference.parent_columns, strict=True)
    )
    child = f" JOIN {quoted(reference.schema)}.{quoted(reference.table)} child ON {refers}"
    found = " OR ".join(
        f"EXISTS (SELECT 1 FROM {staged.name} live JOIN {way}{child if reference.is_readable else ''})" for way in ways
    )
    (row,) = query(session.connection, f"SELECT {found} AS has_rows")
    return bool(row["has_rows"])


def _named(session: Session, reference: Reference) -> str:
    table = reference.table if reference.schema == session.schema else f"{reference.schema}.{reference.table}"
    return f"{table}.{reference.columns[0]}"


def _hint(session: Session, reference: Reference) -> str:
    is_ours = reference.schema == session.schema and reference.table in metadata.tables
    if is_ours and _takes_part(session, reference.table, ()):
        return "SQLite has no such column: mend those rows in PostgreSQL, then run again; nothing was changed."
    if is_ours and reference.table in session.source.tables:
        return (
            f"Add it: --tables {reference.parent},{reference.table} and so on, or leave --tables away; "
            "nothing was changed."
        )
    return (
        "SQLite has no such table: remove those rows from PostgreSQL, or their foreign key, then run again; "
        "nothing was changed."
    )


_OTHER_SCHEMAS_SQL = f"""
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       {FOREIGN_KEY_SQL},
       has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS is_readable
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class p ON p.oid = k.confrelid
JOIN pg_namespace s ON s.oid = p.relnamespace
WHERE s.nspname = $1 AND n.nspname <> $1 AND k.contype = 'f'
ORDER BY 1, 2, k.conname
"""
