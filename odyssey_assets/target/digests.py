"""PostgreSQL's own digest of a table: rows, and the sum of the server's 64-bit hash of each row.

It is computed inside the server at several times the speed of reading the rows, and tells whether anybody changed the
table since it was published. It cannot see a -0.0 that became 0.0, which hash alike. The hash of a row is hashed once
more, since PostgreSQL's is linear in its columns: of cells swapped between rows a plain sum misses most (44 of 60).

Belongs here: the digest of whole tables and of chosen rows. Does not belong here: keeping it (``sync.ledger``).
"""

from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.connection import query

_TOTAL = "coalesce(sum(hashint8extended(hash_record_extended(live, 0), 0)), 0)::text"


@dataclass(frozen=True)
class TargetDigest:
    """``total`` is the sum of the row hashes."""

    rows: int
    total: int


def table_digest(connection: Connection, schema: str, table: str) -> TargetDigest:
    """Rows and digest of a whole table, every column of it included."""
    name = f"{quoted(schema)}.{quoted(table)}"
    (row,) = query(
        connection,
        f"SELECT count(*) AS rows, {_TOTAL} AS total FROM {name} live",
    )
    return TargetDigest(int(str(row["rows"])), int(str(row["total"])))


def chosen_rows_digest(
    connection: Connection, schema: str, table: str, key: tuple[str, ...], chosen: tuple[str, ...]
) -> TargetDigest:
    """The same for the rows whose key is in one of the temporary tables ``chosen``."""
    name = f"{quoted(schema)}.{quoted(table)}"
    columns = ", ".join(map(quoted, key))
    keys = " UNION ".join(f"SELECT {columns} FROM {quoted(temporary)}" for temporary in chosen)
    same = " AND ".join(f"live.{quoted(column)} = chosen.{quoted(column)}" for column in key)
    (row,) = query(
        connection,
        f"SELECT count(*) AS rows, {_TOTAL} AS total FROM {name} live JOIN ({keys}) chosen ON {same}",
    )
    return TargetDigest(int(str(row["rows"])), int(str(row["total"])))
