"""A connection whose every statement is a transaction of its own, and what a query does there.

``CREATE INDEX CONCURRENTLY`` and ``VACUUM`` refuse to run inside a transaction.

Belongs here: that connection, and reading a query's plan. Does not belong here: what is built, cleaned or judged.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.target.connection import translated
from odyssey_assets.target.opening import open_connection
from odyssey_assets.target.url import TargetUrl


@dataclass(frozen=True)
class QueryPlan:
    """What the planner chose, and how long the query took on the server, planning included."""

    indexes: frozenset[str]
    milliseconds: float


@contextmanager
def autocommitting(url: TargetUrl) -> Iterator[Connection]:
    """A connection in autocommit, with the driver's errors in this project's words."""
    with translated(url):
        connection = open_connection(url)
        try:
            connection.adbc_connection.set_autocommit(True)
            yield connection
        finally:
            connection.close()


def explain(connection: Connection, sql: str, parameters: Sequence[object] = ()) -> QueryPlan:
    """Run a query as EXPLAIN ANALYZE does; its rows are thrown away."""
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", tuple(parameters) or None)
        ((text,),) = cursor.fetchall()
    (explained,) = json.loads(text)
    milliseconds = float(explained["Planning Time"]) + float(explained["Execution Time"])
    return QueryPlan(frozenset(_indexes(explained["Plan"])), milliseconds)


def _indexes(node: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in node:
        yield node["Index Name"]
    for child in node.get("Plans", ()):
        yield from _indexes(child)
