"""Sequences behind the columns of the target: after rows were copied in, the next value must be beyond them.

Prisma's Odyssey has none, for its ids are texts; a team's own columns may.

Belongs here: finding and setting them. Does not belong here: when (``cutover``).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.connection import query


@dataclass(frozen=True)
class OwnedSequence:
    """A serial or identity column and its sequence, both names quoted where they need to be."""

    table: str
    column: str
    sequence: str


def owned_sequences(connection: Connection, schema: str, tables: Iterable[str]) -> tuple[OwnedSequence, ...]:
    """The sequences that columns of these tables own, in the order of their names."""
    wanted = frozenset(tables)
    return tuple(
        OwnedSequence(str(row["table_name"]), str(row["column_name"]), str(row["sequence_name"]))
        for row in query(connection, _OWNED_SQL, [schema])
        if row["table_name"] in wanted
    )


def set_beyond_rows(connection: Connection, schema: str, owned: OwnedSequence) -> int | None:
    """Let the sequence go on after the largest value of its column; it never goes back. None for an empty column."""
    (row,) = query(
        connection, f"SELECT max({quoted(owned.column)})::bigint AS largest FROM {quoted(schema)}.{quoted(owned.table)}"
    )
    if row["largest"] is None:
        return None
    (row,) = query(
        connection,
        f"SELECT setval($1::regclass, greatest($2::bigint, last_value)) AS value FROM {owned.sequence}",
        [owned.sequence, row["largest"]],
    )
    return int(str(row["value"]))


_OWNED_SQL = """
SELECT t.relname AS table_name, a.attname AS column_name,
       format('%I.%I', sn.nspname, s.relname) AS sequence_name
FROM pg_depend d
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_class t ON t.oid = d.refobjid
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  AND n.nspname = $1
ORDER BY t.relname, a.attname
"""
