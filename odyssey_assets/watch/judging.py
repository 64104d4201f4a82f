"""What of the numbers is too much: thresholds from the environment, and a verdict for each.

A number that cannot be seen gets the verdict None, which is told as a warning and never as a pass.

Belongs here: thresholds and comparing. Does not belong here: reading (``readings``), or telling (``telling``).
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from odyssey_assets.errors import ConfigurationError
from odyssey_assets.findings import Severity
from odyssey_assets.watch.readings import NEEDS_MONITOR, Reading, Totals
from odyssey_assets.watch.statements import SlowQueries

OFF = "off"

ENOUGH_BLOCKS = 10_000
"""Blocks (8 KB) asked for since the last look, below which the share found in the cache says nothing."""

ENOUGH_TRANSACTIONS = 100
"""The same for the share of transactions that were rolled back."""


@dataclass(frozen=True)
class Measure:
    """One thing that is judged. ``default`` is its threshold, None where only a configured one is judged; ``advice``
    is what to do once it is crossed."""

    name: str
    variable: str
    default: float | None
    unit: str
    severity: Severity
    description: str
    advice: str
    is_least: bool = False


MEASURES = (
    Measure(
        "connections",
        "ODYSSEY_WATCH_CONNECTIONS_PERCENT",
        80,
        "%",
        Severity.ERROR,
        "Open connections, of those ordinary roles may open.",
        "Lower connection_limit in the application's URL, put PgBouncer in between, or raise max_connections.",
    ),
    Measure(
        "cache_hits",
        "ODYSSEY_WATCH_CACHE_PERCENT",
        90,
        "%",
        Severity.WARNING,
        "Blocks found in PostgreSQL's own cache since the last look, of those asked for.",
        "Raise shared_buffers to a quarter of the memory; odyssey slow-queries tells what reads so much.",
        is_least=True,
    ),
    Measure(
        "slow_queries",
        "ODYSSEY_WATCH_SLOW_MS",
        200,
        "ms",
        Severity.WARNING,
        "Mean time of the slowest of the application's queries.",
        "odyssey slow-queries lists them; odyssey optimise makes the indexes for the main ones.",
    ),
    Measure(
        "lock_waits",
        "ODYSSEY_WATCH_LOCK_SECONDS",
        10,
        "s",
        Severity.WARNING,
        "The longest that a session has waited for a lock up to now.",
        "SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity tells who waits for whom.",
    ),
    Measure(
        "oldest_transaction",
        "ODYSSEY_WATCH_TRANSACTION_SECONDS",
        900,
        "s",
        Severity.WARNING,
        "Age of the oldest open transaction; it keeps VACUUM from removing anything newer.",
        "See the session in pg_stat_activity; idle_in_transaction_session_timeout ends forgotten ones.",
    ),
    Measure(
        "dead_rows",
        "ODYSSEY_WATCH_DEAD_PERCENT",
        20,
        "%",
        Severity.WARNING,
        "Dead rows of the table that has the most of them for its size.",
        "Run the job vacuum, and see that autovacuum is on and no transaction stays open.",
    ),
    Measure(
        "deadlocks",
        "ODYSSEY_WATCH_DEADLOCKS",
        0,
        "",
        Severity.WARNING,
        "Deadlocks since the last look.",
        "The server's log names both statements; change rows in the same order everywhere.",
    ),
    Measure(
        "rollbacks",
        "ODYSSEY_WATCH_ROLLBACK_PERCENT",
        10,
        "%",
        Severity.WARNING,
        "Transactions that were rolled back since the last look, which is how errors look from here.",
        "See the application's and the server's log for the errors.",
    ),
    Measure(
        "broken_sessions",
        "ODYSSEY_WATCH_BROKEN_SESSIONS",
        0,
        "",
        Severity.WARNING,
        "Sessions that ended by an error, were killed, or were lost, since the last look.",
        "See the server's log; a client that vanishes may have run out of memory.",
    ),
    Measure(
        "database_size",
        "ODYSSEY_WATCH_SIZE_GB",
        None,
        "GB",
        Severity.WARNING,
        "Size of the database.",
        "Free or add room on the server's disk.",
    ),
)


@dataclass(frozen=True)
class Verdict:
    """``passed`` is None where the number is not visible, for the reason ``hidden``; ``threshold`` is None where the
    measure is not judged."""

    measure: Measure
    value: float | None
    threshold: float | None
    passed: bool | None
    detail: str = ""
    hidden: str = ""


def thresholds(environ: Mapping[str, str] = os.environ) -> dict[str, float | None]:
    """By name of the measure; ``off`` turns one off. Raises ConfigurationError for anything that is no number."""
    return {each.name: _threshold(environ, each) for each in MEASURES}


def judge(
    reading: Reading, recent: Totals, slow: SlowQueries, limits: Mapping[str, float | None]
) -> tuple[Verdict, ...]:
    """A verdict for every measure. ``recent`` is what was counted since the last look."""
    values = dict(_values(reading, recent, slow))
    return tuple(_verdict(each, *values[each.name], limits[each.name]) for each in MEASURES)


def _verdict(measure: Measure, value: float | None, detail: str, threshold: float | None) -> Verdict:
    if threshold is None:
        return Verdict(measure, value, None, True, detail)
    if value is None:
        return Verdict(measure, None, threshold, None, hidden=detail)
    passed = value >= threshold if measure.is_least else value <= threshold
    return Verdict(measure, value, threshold, passed, detail)


def _values(reading: Reading, recent: Totals, slow: SlowQueries) -> Iterator[tuple[str, tuple[float | None, str]]]:
    """Value and words by name of the measure; a value of None is not visible, and the words say why."""
    share = 100 * reading.connections / max(reading.connections_limit, 1)
    yield "connections", (share, f"{reading.connections:,} of {reading.connections_limit:,}")
    asked = recent.blocks_hit + recent.blocks_read
    if asked < ENOUGH_BLOCKS:
        yield "cache_hits", (100.0, f"only {asked:,} blocks were asked for, which says nothing yet")
    else:
        yield "cache_hits", (100 * recent.blocks_hit / asked, f"{asked:,} blocks asked for")
    if slow.statements is None:
        yield "slow_queries", (None, slow.hidden)
    else:
        slowest = slow.statements[0] if slow.statements else None
        yield (
            "slow_queries",
            (
                (0.0, "no query ran often enough")
                if slowest is None
                else (slowest.mean_milliseconds, f"{slowest.calls:,} calls of {slowest.text[:120]}")
            ),
        )
    waiting = ", ".join(map(str, reading.waiting_for_locks))
    yield (
        "lock_waits",
        (
            reading.longest_lock_wait_seconds,
            f"{reading.lock_waits:,} waits, of session {waiting}" if waiting else "nobody waits",
        ),
    )
    age, pid = reading.oldest_transaction_seconds, reading.oldest_transaction_pid
    yield "oldest_transaction", (age, NEEDS_MONITOR if age is None else f"session {pid}" if pid else "none is open")
    yield (
        "dead_rows",
        (
            reading.dead_rows_percent,
            f"{reading.dead_rows:,} in {reading.dead_rows_table}" if reading.dead_rows_table else "none worth telling",
        ),
    )
    yield "deadlocks", (float(recent.deadlocks), "")
    transactions = recent.commits + recent.rollbacks
    share = 100 * recent.rollbacks / transactions if transactions >= ENOUGH_TRANSACTIONS else 0.0
    yield "rollbacks", (share, f"{recent.rollbacks:,} of {transactions:,} transactions")
    yield "broken_sessions", (float(recent.broken_sessions), "")
    yield "database_size", (reading.database_bytes / 1e9, f"{reading.database_bytes:,} bytes")


def _threshold(environ: Mapping[str, str], measure: Measure) -> float | None:
    text = environ.get(measure.variable, "").strip()
    if not text:
        return measure.default
    if text.lower() == OFF:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigurationError(
            f"{measure.variable} must be a number from zero on, or {OFF}, not {text!r}.", hint="Correct or unset it."
        )
    return value
