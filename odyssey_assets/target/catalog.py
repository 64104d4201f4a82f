"""What the PostgreSQL schema really has, read from ``pg_catalog`` in a handful of queries.

Belongs here: reading the catalog. Does not belong here: judging it (``preflight``), or changing it (``rebuild``).
"""

from collections import defaultdict
from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.target.connection import query

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


@dataclass(frozen=True)
class TargetColumn:
    """``type_name`` is without modifier and, for enums, the bare type name; ``type_text`` is the whole type.

    ``default`` is what fills the column where a row gives nothing: its own expression, or words for an identity, or
    its domain's.
    """

    name: str
    type_name: str
    type_text: str
    is_required: bool
    default: str | None
    labels: tuple[str, ...]


@dataclass(frozen=True)
class TargetIndex:
    """A primary key is an index with ``constraint`` set to its constraint's definition."""

    name: str
    columns: tuple[str, ...]
    is_unique: bool
    is_primary: bool
    definition: str
    constraint: str | None
    is_valid: bool


@dataclass(frozen=True)
class TargetForeignKey:
    """``definition`` is what ``pg_get_constraintdef`` gives, NOT VALID included."""

    name: str
    table: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str
    on_update: str
    is_validated: bool
    definition: str


@dataclass(frozen=True)
class TargetTable:
    """``is_owned`` says whether the role may alter it, ``has_triggers`` whether it carries triggers of its own.

    ``is_rebuildable`` is False where dropping its keys and indexes and adding them again would fail or lose something:
    references from another schema, views that lean on the primary key, comments, clustering, replica identity,
    partitions.
    """

    name: str
    columns: tuple[TargetColumn, ...]
    indexes: tuple[TargetIndex, ...]
    foreign_keys: tuple[TargetForeignKey, ...]
    is_owned: bool
    has_triggers: bool
    is_rebuildable: bool

    @property
    def primary_key(self) -> tuple[str, ...]:
        return next((index.columns for index in self.indexes if index.is_primary), ())

    def column(self, name: str) -> TargetColumn | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class TargetCatalog:
    """Every ordinary table and enum of one schema; empty where the schema does not exist."""

    schema: str
    schema_exists: bool
    tables: dict[str, TargetTable]
    enums: dict[str, tuple[str, ...]]


def read_catalog(connection: Connection, schema: str) -> TargetCatalog:
    """Read one schema."""
    exists = bool(query(connection, "SELECT 1 AS one FROM pg_namespace WHERE nspname = $1", [schema]))
    enums: dict[str, tuple[str, ...]] = {
        str(row["name"]): tuple(row["labels"])  # type: ignore[arg-type]
        for row in query(connection, _ENUMS_SQL, [schema])
    }
    columns = _columns(connection, schema, enums)
    indexes = _indexes(connection, schema)
    foreign_keys = _foreign_keys(connection, schema)
    tables = {
        str(row["name"]): TargetTable(
            str(row["name"]),
            tuple(columns[str(row["name"])]),
            tuple(indexes[str(row["name"])]),
            tuple(foreign_keys[str(row["name"])]),
            bool(row["is_owned"]),
            bool(row["has_triggers"]),
            bool(row["is_rebuildable"]),
        )
        for row in query(connection, _TABLES_SQL, [schema])
    }
    return TargetCatalog(schema, exists, tables, enums)


def _columns(
    connection: Connection, schema: str, enums: dict[str, tuple[str, ...]]
) -> defaultdict[str, list[TargetColumn]]:
    columns: defaultdict[str, list[TargetColumn]] = defaultdict(list)
    for row in query(connection, _COLUMNS_SQL, [schema]):
        type_name = str(row["type_name"])
        columns[str(row["table_name"])].append(
            TargetColumn(
                str(row["name"]),
                type_name,
                str(row["type_text"]),
                bool(row["is_required"]),
                None if row["column_default"] is None else str(row["column_default"]),
                enums.get(type_name, ()) if row["is_enum"] else (),
            )
        )
    return columns


def _indexes(connection: Connection, schema: str) -> defaultdict[str, list[TargetIndex]]:
    indexes: defaultdict[str, list[TargetIndex]] = defaultdict(list)
    for row in query(connection, _INDEXES_SQL, [schema]):
        indexes[str(row["table_name"])].append(
            TargetIndex(
                str(row["name"]),
                tuple(str(name) for name in row["columns"]),  # type: ignore[attr-defined]
                bool(row["is_unique"]),
                bool(row["is_primary"]),
                str(row["definition"]),
                None if row["constraint_definition"] is None else str(row["constraint_definition"]),
                bool(row["is_valid"]),
            )
        )
    return indexes


def _foreign_keys(connection: Connection, schema: str) -> defaultdict[str, list[TargetForeignKey]]:
    foreign_keys: defaultdict[str, list[TargetForeignKey]] = defaultdict(list)
    for row in query(connection, _FOREIGN_KEYS_SQL, [schema]):
        foreign_keys[str(row["table_name"])].append(
            TargetForeignKey(
                str(row["name"]),
                str(row["table_name"]),
                tuple(row["columns"]),  # type: ignore[arg-type]
                str(row["parent"]),
                tuple(row["parent_columns"]),  # type: ignore[arg-type]
                _ACTIONS[str(row["on_delete"])],
                _ACTIONS[str(row["on_update"])],
                bool(row["is_validated"]),
                str(row["definition"]),
            )
        )
    return foreign_keys


_ENUMS_SQL = """
SELECT t.typname::text AS name, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
FROM pg_type t
JOIN pg_enum e ON e.enumtypid = t.oid
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = $1
GROUP BY t.typname
"""

_TABLES_SQL = """
WITH tied (table_oid) AS (
    SELECT indrelid FROM pg_index WHERE indisclustered OR indisreplident
    UNION ALL
    SELECT k.confrelid
    FROM pg_constraint k
    JOIN pg_class r ON r.oid = k.conrelid
    JOIN pg_class p ON p.oid = k.confrelid
    WHERE k.contype = 'f' AND r.relnamespace <> p.relnamespace
    UNION ALL
    SELECT k.conrelid
    FROM pg_depend d
    JOIN pg_constraint k ON k.oid = d.refobjid
    WHERE d.refclassid = 'pg_constraint'::regclass AND d.classid = 'pg_rewrite'::regclass
    UNION ALL
    SELECT unnest(ARRAY[k.conrelid, k.confrelid])
    FROM pg_description d
    JOIN pg_constraint k ON k.oid = d.objoid
    WHERE d.classoid = 'pg_constraint'::regclass
    UNION ALL
    SELECT x.indrelid
    FROM pg_description d
    JOIN pg_index x ON x.indexrelid = d.objoid
    WHERE d.classoid = 'pg_class'::regclass)
SELECT c.relname::text AS name,
       pg_has_role(c.relowner, 'USAGE') AS is_owned,
       EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal) AS has_triggers,
       c.relkind = 'r' AND NOT c.relispartition AND c.oid NOT IN (SELECT table_oid FROM tied) AS is_rebuildable
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
ORDER BY c.relname
"""

_COLUMNS_SQL = """
SELECT c.relname::text AS table_name,
       a.attname::text AS name,
       CASE t.typtype WHEN 'e' THEN t.typname::text ELSE format_type(a.atttypid, NULL) END AS type_name,
       format_type(a.atttypid, a.atttypmod) AS type_text,
       t.typtype = 'e' AS is_enum,
       a.attnotnull AS is_required,
       coalesce(pg_get_expr(d.adbin, d.adrelid),
                CASE WHEN a.attidentity <> '' THEN 'the next number of its sequence' ELSE t.typdefault END)
           AS column_default
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY c.relname, a.attnum
"""

_INDEXES_SQL = """
SELECT c.relname::text AS table_name,
       i.relname::text AS name,
       ARRAY(SELECT coalesce(a.attname::text, '')
             FROM unnest(x.indkey::int[]) WITH ORDINALITY AS k(attnum, position)
             LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
             WHERE k.position <= x.indnkeyatts
             ORDER BY k.position) AS columns,
       x.indisunique AND x.indpred IS NULL AS is_unique,
       x.indisprimary AS is_primary,
       x.indisvalid AS is_valid,
       pg_get_indexdef(x.indexrelid) AS definition,
       pg_get_constraintdef(k.oid) AS constraint_definition
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u', 'x')
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
ORDER BY c.relname, i.relname
"""

FOREIGN_KEY_SQL = """\
ARRAY(SELECT a.attname::text
             FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, position)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
             ORDER BY u.position) AS columns,
       p.relname::text AS parent,
       ARRAY(SELECT a.attname::text
             FROM unnest(k.confkey) WITH ORDINALITY AS u(attnum, position)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
             ORDER BY u.position) AS parent_columns"""
"""What the foreign key ``k`` leads from and to, where ``p`` is the table it refers to."""

_FOREIGN_KEYS_SQL = f"""
SELECT c.relname::text AS table_name,
       k.conname::text AS name,
       {FOREIGN_KEY_SQL},
       k.confdeltype::text AS on_delete,
       k.confupdtype::text AS on_update,
       k.convalidated AS is_validated,
       pg_get_constraintdef(k.oid) AS definition
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_class p ON p.oid = k.confrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND k.contype = 'f'
ORDER BY c.relname, k.conname
"""
