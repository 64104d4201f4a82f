"""PostgreSQL's own digest of a table: rows, and the sum of the server's 64-bit hash of each row.

It is computed inside the server at several times the speed of reading the rows, and tells whether anybody changed the
table since it was published. The server's hash of a value follows its equality, to which 0.0 is -0.0 and 1.00 is 1.0;
where that is coarser than what the column holds, the bytes the server would send are hashed in the value's place. The
hash of a row is hashed once more, since PostgreSQL's is linear in its columns: of cells swapped between rows a plain
sum misses most (44 of 60).

Belongs here: the digest of whole tables and of chosen rows. Does not belong here: keeping it (``sync.ledger``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.connection import query

METHOD = "columns-1"
"""Changes with whatever changes the digest of rows that did not change; two methods' digests are never compared."""

_TEXT = frozenset({"text", "varchar"})
_EXACT = frozenset(
    {"bool", "bytea", "date", "int2", "int4", "int8", "oid", "time", "timestamp", "timestamptz", "timetz", "uuid"}
)
"""Built-in types of which two values that are equal are the same to the bit. An enum is not: it is hashed by the number
of its label, which a renamed label keeps and a restored database does not."""


@dataclass(frozen=True)
class TargetDigest:
    """``total`` is the sum of the row hashes."""

    rows: int
    total: int


def table_digest(connection: Connection, schema: str, table: str) -> TargetDigest:
    """Rows and digest of a whole table, every column of it included."""
    return _digest(connection, schema, table, "")


def chosen_rows_digest(
    connection: Connection, schema: str, table: str, key: tuple[str, ...], chosen: tuple[str, ...]
) -> TargetDigest:
    """The same for the rows whose key is in one of the temporary tables ``chosen``."""
    columns = ", ".join(map(quoted, key))
    keys = " UNION ".join(f"SELECT {columns} FROM {quoted(temporary)}" for temporary in chosen)
    same = " AND ".join(f"live.{quoted(column)} = chosen.{quoted(column)}" for column in key)
    return _digest(connection, schema, table, f" JOIN ({keys}) chosen ON {same}")


def row_hash_sql(connection: Connection, schema: str, table: str) -> str:
    """The server's hash of one row of ``live``, which is this table; a digest is the sum of them."""
    # Of a table that is not there any more the server itself has to speak.
    row_sql = _rows_of(connection, schema, table).get(table, "ROW()")
    return f"hashint8extended(hash_record_extended({row_sql}, 0), 0)"


def _digest(connection: Connection, schema: str, table: str, join: str) -> TargetDigest:
    total = f"coalesce(sum({row_hash_sql(connection, schema, table)}), 0)::text"
    (found,) = query(
        connection,
        f"SELECT count(*) AS rows, {total} AS total FROM {quoted(schema)}.{quoted(table)} live{join}",
    )
    return TargetDigest(int(str(found["rows"])), int(str(found["total"])))


_rows_sql: WeakKeyDictionary[Connection, dict[str, dict[str, str]]] = WeakKeyDictionary()
"""By connection and schema, for a question per table would cost as much as the digest of a small one."""


def _rows_of(connection: Connection, schema: str, table: str) -> Mapping[str, str]:
    """What is hashed of a row, by table. A table that this transaction has made since is asked for again."""
    known = _rows_sql.setdefault(connection, {})
    if table not in known.get(schema, {}):
        columns: dict[str, list[str]] = {}
        for row in query(connection, _COLUMNS_SQL, [schema]):
            columns.setdefault(str(row["table_name"]), []).append(_hashed_sql(row))
        known[schema] = {name: f"ROW({', '.join(expressions)})" for name, expressions in columns.items()}
    return known[schema]


def _hashed_sql(column: Mapping[str, object]) -> str:
    """A column, or what stands for it because its own hash would overlook something."""
    value = f"live.{quoted(str(column['name']))}"
    if column["type_schema"] == "pg_catalog" and column["type_name"] in _EXACT:
        return value
    # Neither a collation that takes some texts for equal, nor its cost.
    if column["type_schema"] == "pg_catalog" and column["type_name"] in _TEXT:
        return f'{value} COLLATE "C"'
    if column["send_name"] is None:
        return f'{value}::text COLLATE "C"'
    return f"{quoted(str(column['send_schema']))}.{quoted(str(column['send_name']))}({value})"


_COLUMNS_SQL = """
SELECT c.relname::text AS table_name,
       a.attname::text AS name,
       tn.nspname::text AS type_schema,
       t.typname::text AS type_name,
       fn.nspname::text AS send_schema,
       f.proname::text AS send_name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_type e ON e.oid = t.typelem
LEFT JOIN pg_proc f ON f.oid = t.typsend AND (e.oid IS NULL OR e.typsend <> 0)
LEFT JOIN pg_namespace fn ON fn.oid = f.pronamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
ORDER BY 1, a.attnum
"""
