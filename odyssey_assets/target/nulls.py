"""How many NULLs each column of a table has, counted by PostgreSQL itself.

Belongs here: counting. Does not belong here: judging the counts (``compare.checks``).
"""

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.connection import query


def null_counts(connection: Connection, schema: str, table: str, columns: tuple[str, ...]) -> dict[str, int]:
    """NULLs by column."""
    counts = ", ".join(f"count(*) - count({quoted(name)}) AS c{number}" for number, name in enumerate(columns))
    (row,) = query(connection, f"SELECT {counts} FROM {quoted(schema)}.{quoted(table)}")
    return {name: int(str(row[f"c{number}"])) for number, name in enumerate(columns)}
