"""The slowest queries, as the extension pg_stat_statements has counted them.

Belongs here: making it in a database, reading it, and why it cannot be read. Does not belong here: loading it into the
server, which takes a restart, or what is too slow (``judging``).
"""

import re
from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import OdysseyError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.autocommit import autocommitting
from odyssey_assets.target.connection import execute, query
from odyssey_assets.target.url import TargetUrl

OLDEST_VERSION = (1, 8)
"""Of the extension: with it came ``mean_exec_time`` and its kin, in PostgreSQL 13."""

FEWEST_CALLS = 3
"""What ran less often was not the application's daily work."""

MOST_SHOWN = 20
_TEXT_SHOWN = 400
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Statement:
    """One normalised statement: constants are numbered parameters, so it holds no values of rows."""

    text: str
    calls: int
    mean_milliseconds: float
    slowest_milliseconds: float
    total_milliseconds: float
    rows: int


@dataclass(frozen=True)
class SlowQueries:
    """``statements`` are the slowest by their mean; None where they are not visible, for the reason ``hidden``."""

    statements: tuple[Statement, ...] | None
    hidden: str = ""


def slow_queries(url: TargetUrl, *, limit: int = MOST_SHOWN) -> SlowQueries:
    """Ask the extension. Raises what connecting raises; that there is none to ask is a result."""
    with autocommitting(url) as connection:
        try:
            found = _extension(connection)
            if isinstance(found, str):
                return SlowQueries(None, found)
            rows = query(connection, _STATEMENTS_SQL.format(schema=quoted(found[0])), [FEWEST_CALLS, limit])
        except OdysseyError:
            raise
        except Exception as error:
            if "shared_preload_libraries" in str(error):
                return SlowQueries(None, "pg_stat_statements is not in shared_preload_libraries; that takes a restart")
            raise
    return SlowQueries(
        tuple(
            Statement(
                _SPACE.sub(" ", str(row["text"])).strip()[:_TEXT_SHOWN],
                int(str(row["calls"])),
                float(str(row["mean"])),
                float(str(row["slowest"])),
                float(str(row["total"])),
                int(str(row["rows"])),
            )
            for row in rows
        )
    )


def install(url: TargetUrl) -> None:
    """Make the extension in this database. Raises ConfigurationError where the role may not."""
    with autocommitting(url) as connection:
        execute(connection, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


def _extension(connection: Connection) -> tuple[str] | str:
    """The schema it is in, or why it is of no use."""
    rows = query(connection, _EXTENSION_SQL)
    if not rows:
        return "the extension is missing; with a superuser's URL, odyssey slow-queries --install makes it"
    (row,) = rows
    if tuple(int(part) for part in str(row["version"]).split(".")) < OLDEST_VERSION:
        return f"pg_stat_statements {row['version']} is too old; ALTER EXTENSION pg_stat_statements UPDATE"
    if not row["sees_everyone"]:
        return "the role sees its own statements only; GRANT pg_monitor (or pg_read_all_stats) to it"
    return (str(row["schema"]),)


_EXTENSION_SQL = """
SELECT n.nspname::text AS schema, e.extversion AS version,
       pg_has_role('pg_read_all_stats', 'USAGE') AS sees_everyone
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""

_STATEMENTS_SQL = """
SELECT s.query AS text, s.calls, s.mean_exec_time AS mean, s.max_exec_time AS slowest, s.total_exec_time AS total,
       s.rows
FROM {schema}.pg_stat_statements s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.calls >= $1::bigint
  -- Bulk work, this project's reading among it, and what keeps the database in order are no application's queries.
  AND s.query ~* '^\\s*(select|insert|update|delete|with|merge)\\M'
  AND s.query !~ '\\m(odyssey_sync|pg_(class|index|constraint|attribute|namespace|locks|roles|database|stat\\w*))\\M'
ORDER BY s.mean_exec_time DESC
LIMIT $2::bigint
"""
