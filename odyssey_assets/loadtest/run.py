"""The load test: many clients on the main queries and on voting, also while re-syncs run.

Belongs here: its order, and what its times come to. Does not belong here: the scripts, or running them (``pgbench``).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from odyssey_assets.errors import ConfigurationError, OdysseyError, RefusedError
from odyssey_assets.loadtest.pgbench import Logged, find_pgbench, run_pgbench
from odyssey_assets.loadtest.scripts import VOTE, LeftOut, Script, scripts_for
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.sync.outcome import Request
from odyssey_assets.sync.run import run
from odyssey_assets.target.autocommit import autocommitting
from odyssey_assets.target.connection import connect, execute
from odyssey_assets.target.server_state import read_server_state
from odyssey_assets.target.url import TargetUrl

LIMIT_MILLISECONDS = 200.0
"""What the guide gives a query of the application."""

CONNECTIONS_OF_A_SYNC = 3
_REFUSED_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class LoadOptions:
    """``per_second`` is the rate at which transactions arrive; None lets every client go on at once."""

    clients: int = 100
    seconds: int = 60
    per_second: float | None = None
    limit_milliseconds: float = LIMIT_MILLISECONDS


@dataclass(frozen=True)
class Times:
    """One kind of transaction; the percentiles are None where none was finished. ``errors`` counts those that failed,
    each of which also ended its client."""

    name: str
    transactions: int
    errors: int
    p50: float | None
    p95: float | None
    p99: float | None

    def is_within(self, limit_milliseconds: float) -> bool:
        """Whether it was tried, never failed, and 95 of 100 were as fast as they should be."""
        return self.errors == 0 and self.p95 is not None and self.p95 <= limit_milliseconds


@dataclass(frozen=True)
class Load:
    """What one time under load came to."""

    times: tuple[Times, ...]
    transactions_per_second: float
    said: tuple[str, ...]


@dataclass(frozen=True)
class Syncs:
    """Re-syncs that ran meanwhile. ``refused`` could not, as another run had the lock."""

    finished: int
    refused: int
    changed_rows: int
    seconds: float


@dataclass(frozen=True)
class LoadTest:
    """``during_syncs`` and ``syncs`` are None where none were asked for."""

    options: LoadOptions
    alone: Load
    during_syncs: Load | None
    syncs: Syncs | None
    left_out: tuple[LeftOut, ...]

    @property
    def ok(self) -> bool:
        """Whether everything was tried, without an error, within the limit, also while re-syncs ran."""
        loads = [each for each in (self.alone, self.during_syncs) if each is not None]
        within = all(times.is_within(self.options.limit_milliseconds) for load in loads for times in load.times)
        return within and not self.left_out


def load_test(
    url: TargetUrl, options: LoadOptions, sync: Request | None = None, on_step: Callable[[str], None] = lambda _: None
) -> LoadTest:
    """Put the load on the target. ``sync`` is what the re-syncs do, which change rows as any re-sync does.

    No row is changed by the load itself. Raises ConfigurationError where the server has no room for the clients.
    """
    program = find_pgbench(url)
    with connect(url, read_only=True) as connection:
        free = read_server_state(connection).free_connections
        scripts, left_out = scripts_for(connection, url.schema)
    _require_room(url, options, free, with_syncs=sync is not None)
    if not scripts:
        raise ConfigurationError("There is nothing to put a load on.", hint="Bring the data first: odyssey migrate.")

    def put() -> Load:
        logged = run_pgbench(
            program,
            url,
            scripts,
            clients=options.clients,
            seconds=options.seconds,
            per_second=options.per_second,
        )
        return _load(scripts, logged, options)

    try:
        on_step(f"{options.clients:,} clients for {options.seconds:,} s")
        alone = put()
        if sync is None:
            return LoadTest(options, alone, None, None, left_out)
        on_step(f"the same while re-syncs run, {options.seconds:,} s")
        with _syncing(sync) as syncs:
            during = put()
        return LoadTest(options, alone, during, syncs(), left_out)
    finally:
        _tidy(url, scripts)


def _require_room(url: TargetUrl, options: LoadOptions, free: int, *, with_syncs: bool) -> None:
    """A pooler lets clients wait by itself."""
    wanted = options.clients + (CONNECTIONS_OF_A_SYNC if with_syncs else 0)
    if not url.is_pooled and wanted > free:
        raise ConfigurationError(
            f"The server has room for {max(free, 0):,} more connections, and the load test takes {wanted:,}.",
            hint="Fewer --clients, or a higher max_connections; an embedded server started by an older version "
            "takes today's when it is started anew (odyssey server stop).",
        )


def _load(scripts: tuple[Script, ...], logged: Logged, options: LoadOptions) -> Load:
    times = tuple(
        _times(script.name, milliseconds, errors)
        for script, milliseconds, errors in zip(scripts, logged.milliseconds, logged.errors, strict=True)
    )
    return Load(times, sum(each.transactions for each in times) / options.seconds, logged.said)


def _times(name: str, milliseconds: tuple[float, ...], errors: int) -> Times:
    if not milliseconds:
        return Times(name, 0, errors, None, None, None)
    p50, p95, p99 = (float(each) for each in np.percentile(milliseconds, (50, 95, 99), method="higher"))
    return Times(name, len(milliseconds), errors, p50, p95, p99)


@contextmanager
def _syncing(request: Request) -> Iterator[Callable[[], Syncs]]:
    """Re-syncs one after the other while the block runs; afterwards what they came to."""
    is_over = threading.Event()
    done: list[int] = []
    refused: list[str] = []
    failed: list[OdysseyError] = []
    began = time.perf_counter()

    def sync_on() -> None:
        while not is_over.is_set():
            try:
                outcome = run(request, lambda _: None)
            except RefusedError as error:
                refused.append(error.message)
                is_over.wait(_REFUSED_PAUSE_SECONDS)
            except OdysseyError as error:
                failed.append(error)
                return
            else:
                done.append(sum(table.inserted + table.updated + table.deleted for table in outcome.tables))

    worker = threading.Thread(target=sync_on, name="syncs")
    worker.start()
    try:
        yield lambda: Syncs(len(done), len(refused), sum(done), time.perf_counter() - began)
    finally:
        is_over.set()
        worker.join()
    if failed:
        raise failed[0]


def _tidy(url: TargetUrl, scripts: tuple[Script, ...]) -> None:
    """Votes that were taken back leave dead rows; a role that may not clean up leaves them to autovacuum."""
    if any(script.name == VOTE for script in scripts):
        with autocommitting(url) as connection:
            execute(connection, f"VACUUM (SKIP_LOCKED) {quoted(url.schema)}.{quoted('Vote')}")
