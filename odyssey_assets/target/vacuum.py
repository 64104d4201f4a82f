"""VACUUM (ANALYZE) of every table the role may vacuum.

It keeps dead rows from piling up, the planner's statistics true, and the map by which an index alone can answer.

Belongs here: doing it, and naming what the role may not. Does not belong here: when (the Dagster layer).
"""

import time
from dataclasses import dataclass

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.autocommit import autocommitting
from odyssey_assets.target.connection import execute, query
from odyssey_assets.target.url import TargetUrl


@dataclass(frozen=True)
class Vacuumed:
    """``seconds`` by table; ``forbidden`` are those of other owners, on which the server would only warn."""

    seconds: dict[str, float]
    forbidden: tuple[str, ...]


def vacuum(url: TargetUrl) -> Vacuumed:
    """Table by table, beside whatever else goes on."""
    seconds: dict[str, float] = {}
    with autocommitting(url) as connection:
        tables = query(connection, _TABLES_SQL, [url.schema])
        for name in (str(row["name"]) for row in tables if row["may"]):
            began = time.perf_counter()
            execute(connection, f"VACUUM (ANALYZE) {quoted(url.schema)}.{quoted(name)}")
            seconds[name] = time.perf_counter() - began
    return Vacuumed(seconds, tuple(str(row["name"]) for row in tables if not row["may"]))


_TABLES_SQL = """
SELECT c.relname::text AS name,
       pg_has_role(c.relowner, 'USAGE')
           OR (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database())
           OR CASE WHEN current_setting('server_version_num')::int >= 170000
                   THEN has_table_privilege(c.oid, 'MAINTAIN') ELSE false END AS may
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind = 'r'
ORDER BY c.relname
"""
