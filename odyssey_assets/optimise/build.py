"""Making the indexes without keeping anyone from writing, dropping them again, and measuring what they bring.

Each is built CONCURRENTLY. What a broken attempt leaves behind, an index that is kept up to date but never used, is
dropped and made again.

Belongs here: the order of the statements. Does not belong here: which indexes (``indexes``), or how it is told.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import RefusedError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.optimise.indexes import OPTIMISATIONS, Optimisation
from odyssey_assets.target.autocommit import QueryPlan, autocommitting, explain
from odyssey_assets.target.connection import execute, query
from odyssey_assets.target.url import TargetUrl

LOCK_SECONDS = 300
"""How long a build waits for transactions that began before it, such as a sync's; each of its waits is for one."""

REPETITIONS = 5
"""Runs of a query whose median is told; the first ones fill the cache."""


class Status(StrEnum):
    """What became of one index. ABSENT: there is no such index, or no table for it."""

    MADE = "made"
    REMADE = "made again"
    KEPT = "there already"
    DROPPED = "dropped"
    ABSENT = "absent"


@dataclass(frozen=True)
class Optimised:
    """``milliseconds_without`` and ``_with`` are the query's time; None where it was not measured in that state, as
    without an index that was there already. ``is_used`` says whether the planner takes it; small tables it reads whole.
    """

    optimisation: Optimisation
    status: Status
    milliseconds_without: float | None = None
    milliseconds_with: float | None = None
    is_used: bool | None = None
    build_seconds: float = 0.0
    size_bytes: int = 0


def optimise(
    url: TargetUrl,
    optimisations: Iterable[Optimisation] = OPTIMISATIONS,
    on_step: Callable[[str], None] = lambda _: None,
) -> tuple[Optimised, ...]:
    """Make what is missing, and measure. Raises RefusedError where another session is in the way for too long."""
    with autocommitting(url) as connection:
        _limit_waiting(connection, url)
        return tuple(_optimised(connection, url.schema, each, on_step) for each in optimisations)


def drop(
    url: TargetUrl,
    optimisations: Iterable[Optimisation] = OPTIMISATIONS,
    on_step: Callable[[str], None] = lambda _: None,
) -> tuple[Optimised, ...]:
    """Drop what is there of them."""
    with autocommitting(url) as connection:
        _limit_waiting(connection, url)
        return tuple(_dropped(connection, url.schema, each, on_step) for each in optimisations)


def _optimised(connection: Connection, schema: str, wanted: Optimisation, on_step: Callable[[str], None]) -> Optimised:
    is_valid = _state(connection, schema, wanted)
    if is_valid is None and not _has_table(connection, schema, wanted.table):
        return Optimised(wanted, Status.ABSENT)
    if is_valid:
        return _measured(connection, schema, Optimised(wanted, Status.KEPT))
    if is_valid is False:
        _require_nobody_builds(connection, schema, wanted)
        _drop(connection, schema, wanted)
    without = _plan(connection, schema, wanted)
    on_step(f"{wanted.index} on {wanted.table}")
    began = time.perf_counter()
    _create(connection, schema, wanted)
    seconds = time.perf_counter() - began
    # For the expression's statistics, and for the map by which an index alone can answer.
    execute(connection, f"VACUUM (ANALYZE) {quoted(schema)}.{quoted(wanted.table)}")
    made = Optimised(
        wanted,
        Status.MADE if is_valid is None else Status.REMADE,
        milliseconds_without=None if without is None else without.milliseconds,
        build_seconds=seconds,
    )
    return _measured(connection, schema, made)


def _dropped(connection: Connection, schema: str, wanted: Optimisation, on_step: Callable[[str], None]) -> Optimised:
    if _state(connection, schema, wanted) is None:
        return Optimised(wanted, Status.ABSENT)
    before = _plan(connection, schema, wanted)
    on_step(f"{wanted.index} on {wanted.table}")
    _require_nobody_builds(connection, schema, wanted)
    _drop(connection, schema, wanted)
    after = _plan(connection, schema, wanted)
    return Optimised(
        wanted,
        Status.DROPPED,
        milliseconds_without=None if after is None else after.milliseconds,
        milliseconds_with=None if before is None else before.milliseconds,
    )


def _measured(connection: Connection, schema: str, made: Optimised) -> Optimised:
    plan = _plan(connection, schema, made.optimisation)
    (row,) = query(connection, "SELECT pg_relation_size(to_regclass($1)) AS size", [_index(schema, made.optimisation)])
    return replace(
        made,
        milliseconds_with=None if plan is None else plan.milliseconds,
        is_used=None if plan is None else made.optimisation.index in plan.indexes,
        size_bytes=int(str(row["size"])),
    )


def _plan(connection: Connection, schema: str, wanted: Optimisation) -> QueryPlan | None:
    """The median of a few runs; None where a table of the query is missing or has nothing to look for."""
    if not all(_has_table(connection, schema, table) for table in wanted.query.tables):
        return None
    values: list[object] = []
    parameter_sql = wanted.parameter_sql or wanted.query.parameter_sql
    if parameter_sql is not None:
        found = query(connection, parameter_sql.format(schema=quoted(schema)))
        if not found:
            return None
        values = [found[0]["value"]]
    sql = wanted.query.sql.format(schema=quoted(schema))
    plans = [explain(connection, sql, values) for _ in range(REPETITIONS)]
    return QueryPlan(plans[-1].indexes, statistics.median(plan.milliseconds for plan in plans))


def _create(connection: Connection, schema: str, wanted: Optimisation) -> None:
    try:
        execute(
            connection,
            f"CREATE INDEX CONCURRENTLY {quoted(wanted.index)} "
            f"ON {quoted(schema)}.{quoted(wanted.table)} {wanted.definition}",
        )
    except Exception:
        # It would cost every write its share and serve nobody.
        with suppress(Exception):
            _drop(connection, schema, wanted)
        raise


def _drop(connection: Connection, schema: str, wanted: Optimisation) -> None:
    execute(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {_index(schema, wanted)}")


def _limit_waiting(connection: Connection, url: TargetUrl) -> None:
    """Behind a pooler a setting of the session would stay with somebody else's."""
    if not url.is_pooled:
        execute(connection, f"SET lock_timeout = '{LOCK_SECONDS}s'")


def _index(schema: str, wanted: Optimisation) -> str:
    return f"{quoted(schema)}.{quoted(wanted.index)}"


def _state(connection: Connection, schema: str, wanted: Optimisation) -> bool | None:
    """Whether the index is valid; None where there is none."""
    rows = query(
        connection,
        "SELECT indisvalid AND indisready AS is_valid FROM pg_index WHERE indexrelid = to_regclass($1)",
        [_index(schema, wanted)],
    )
    return bool(rows[0]["is_valid"]) if rows else None


def _has_table(connection: Connection, schema: str, table: str) -> bool:
    (row,) = query(connection, "SELECT to_regclass($1) IS NOT NULL AS it", [f"{quoted(schema)}.{quoted(table)}"])
    return bool(row["it"])


def _require_nobody_builds(connection: Connection, schema: str, wanted: Optimisation) -> None:
    """An index that is being made looks like one that was left unfinished."""
    rows = query(connection, _BUILDERS_SQL, [f"{quoted(schema)}.{quoted(wanted.table)}"])
    if rows:
        sessions = ", ".join(str(row["pid"]) for row in rows)
        raise RefusedError(
            f"The index {wanted.index} is unfinished, and session {sessions} is at work on {wanted.table}, perhaps on "
            "it.",
            hint="Run again once it has ended.",
        )


_BUILDERS_SQL = """
SELECT DISTINCT pid
FROM pg_locks
WHERE relation = to_regclass($1) AND mode = 'ShareUpdateExclusiveLock' AND granted AND pid <> pg_backend_pid()
ORDER BY pid
"""
