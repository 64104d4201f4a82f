"""The shape of a PostgreSQL schema, read by plain SQL, and the facts it is compared with.

Belongs here: enums, tables, columns, keys and indexes as the catalog has them, in the shape of the files in ``facts``.
Does not belong here: rows and values (``oracle``, ``oracle_values``), or anything of the engine under test.
"""

import json
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

FACTS_DIR = Path(__file__).parent / "facts"
SOURCE_ONLY_FACTS = ("sqlite_type", "sqlite_default", "holds_json")
ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

ENUMS_SQL = """
SELECT t.typname AS name, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = %s GROUP BY t.typname"""

TABLES_SQL = """
SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND c.relname <> '_prisma_migrations'"""

COLUMNS_SQL = """
SELECT c.relname AS table, a.attname AS name,
       CASE WHEN t.typtype = 'e' AND t.typnamespace = c.relnamespace THEN t.typname::text
            ELSE format_type(a.atttypid, a.atttypmod) END AS postgres_type,
       NOT a.attnotnull AS nullable, pg_get_expr(d.adbin, d.adrelid) AS postgres_default,
       concat(a.attidentity, a.attgenerated) AS filled, a.attcollation <> t.typcollation AS has_collation
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') ORDER BY a.attnum"""

CONSTRAINTS_SQL = """
SELECT c.relname AS table, k.conname AS name, k.contype::text AS kind, pg_get_constraintdef(k.oid) AS definition,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS part(attnum, position)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = part.attnum
             ORDER BY part.position) AS columns,
       r.relname AS references,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS part(attnum, position)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = part.attnum
             ORDER BY part.position) AS referenced_columns,
       k.confdeltype::text AS on_delete, k.confupdtype::text AS on_update,
       k.condeferrable AS deferrable, k.convalidated AS validated,
       k.condeferred OR k.confmatchtype NOT IN ('s', ' ') OR r.relnamespace <> c.relnamespace AS is_unusual
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class r ON r.oid = k.confrelid
WHERE n.nspname = %s AND k.contype <> 'n' ORDER BY k.conname COLLATE "C" """

INDEXES_SQL = """
WITH described AS (
    SELECT c.relname AS table, x.relname AS name, i.indisunique AS unique, pg_get_indexdef(i.indexrelid) AS definition,
           i.indisvalid AS is_valid, n.nspname AS schema,
           ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS part(attnum, position)
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = part.attnum
                 ORDER BY part.position) AS columns
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND NOT i.indisprimary)
SELECT "table", name, columns, "unique", definition,
       is_valid AND definition = format('CREATE %%sINDEX %%I ON %%I.%%I USING btree (%%s)',
           CASE WHEN "unique" THEN 'UNIQUE ' END, name, schema, "table",
           (SELECT string_agg(quote_ident(each), ', ' ORDER BY position)
            FROM unnest(columns) WITH ORDINALITY AS part(each, position))) AS is_plain
FROM described ORDER BY name COLLATE "C" """

TRIGGERS_SQL = """
SELECT c.relname AS table, pg_get_triggerdef(g.oid) AS definition
FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND NOT g.tgisinternal ORDER BY g.tgname"""


def catalog(postgres_uri: str, schema: str = "public") -> dict[str, Any]:
    """The enums and tables of a schema, Prisma's own table aside, in the shape ``facts_for`` returns.

    What that shape cannot express (checks, unique constraints, partial or expression indexes, identity columns,
    triggers) stands as text in a further list ``other`` of its table, so that it makes a comparison fail.
    """
    with psycopg.connect(postgres_uri, client_encoding="UTF8", row_factory=dict_row) as connection:
        connection.read_only = True
        # Within the search path PostgreSQL prints enum types without their schema, as the facts do.
        connection.execute("SELECT set_config('search_path', quote_ident(%s), true)", (schema,))
        enums, tables, columns, constraints, indexes, triggers = (
            connection.execute(query, (schema,)).fetchall()
            for query in (ENUMS_SQL, TABLES_SQL, COLUMNS_SQL, CONSTRAINTS_SQL, INDEXES_SQL, TRIGGERS_SQL)
        )
    described = {
        name: _table(
            *([row for row in rows if row["table"] == name] for rows in (columns, constraints, indexes, triggers))
        )
        for name in sorted(row["name"] for row in tables)
    }
    return {
        "enums": {row["name"]: row["labels"] for row in sorted(enums, key=lambda row: row["name"])},
        "tables": described,
    }


def facts_for(version: int) -> dict[str, Any]:
    """The PostgreSQL side of the facts about one schema version (1 to 5) of the application."""
    facts: dict[str, Any] = json.loads((FACTS_DIR / f"schema_v{version}.json").read_text(encoding="utf-8"))
    for table in facts["tables"].values():
        for column in table["columns"]:
            for name in SOURCE_ONLY_FACTS:
                column.pop(name, None)
    return facts


Rows = list[dict[str, Any]]


def _table(columns: Rows, constraints: Rows, indexes: Rows, triggers: Rows) -> dict[str, Any]:
    primary_keys = [row for row in constraints if row["kind"] == "p"]
    table = {
        "columns": [_only(row, "name", "postgres_type", "nullable", "postgres_default") for row in columns],
        "primary_key": _only(primary_keys[0], "name", "columns") if primary_keys else None,
        "foreign_keys": [_foreign_key(row) for row in constraints if row["kind"] == "f"],
        "indexes": [_only(row, "name", "columns", "unique") for row in indexes],
    }
    other = [
        *(
            f"{row['name']}: {row['filled'] or 'own collation'}"
            for row in columns
            if row["filled"] or row["has_collation"]
        ),
        *(f"{row['name']}: {row['definition']}" for row in constraints if row["kind"] not in "pf" or row["is_unusual"]),
        *(f"{row['name']}: {row['definition']}" for row in indexes if not row["is_plain"]),
        *(row["definition"] for row in triggers),
    ]
    return {**table, "other": other} if other else table


def _foreign_key(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **_only(row, "name", "columns", "references", "referenced_columns"),
        "on_delete": ACTIONS[row["on_delete"]],
        "on_update": ACTIONS[row["on_update"]],
        **_only(row, "deferrable", "validated"),
    }


def _only(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}
