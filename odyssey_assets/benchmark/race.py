"""The race: every contender in turn, again and again, at each size, each run in a process of its own.

Belongs here: the order of runs and what is recorded of them. Does not belong here: medians (``summary``).
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.benchmark.child import run_in_child
from odyssey_assets.benchmark.contender import Contender, Task
from odyssey_assets.benchmark.contenders import contender_named
from odyssey_assets.benchmark.copy_folder import copy_folder
from odyssey_assets.benchmark.limits import write_copy_files
from odyssey_assets.benchmark.memory import watched_server
from odyssey_assets.errors import OdysseyError
from odyssey_assets.model.schema import NEWEST_VERSION
from odyssey_assets.sample.world import row_counts
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.target.scratch_database import scratch_database

_PROBE_SCALE = 1_000.0


@dataclass(frozen=True)
class Sample:
    """One measured run. ``rows`` is the size of the file, ``measured_rows`` what this contender was given of it."""

    rows: int
    measured_rows: int
    contender: str
    measure: str
    seconds: float
    client_peak_bytes: int
    server_peak_bytes: int | None

    @property
    def seconds_at_size(self) -> float:
        """In proportion, where the contender was given less than the whole."""
        return self.seconds * self.rows / self.measured_rows


@dataclass(frozen=True)
class Race:
    """What was measured, and why contenders are missing."""

    samples: tuple[Sample, ...]
    absent: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Ground:
    """A file of one size, a database that holds its rows, and the server's own copies of its tables.

    ``folder`` keeps the snapshot that was published, which a verification compares with.
    """

    sqlite: Path
    rows: int
    loaded_uri: str
    copies: Path
    folder: Path


class _Grounds:
    """Grounds by number of rows, made when first asked for and kept until the end of one size."""

    def __init__(self, admin_uri: str, folder: Path, stack: ExitStack) -> None:
        self._admin_uri = admin_uri
        self._folder = folder
        self._stack = stack
        self._made: dict[int, _Ground] = {}

    def of(self, rows: int) -> _Ground:
        if rows not in self._made:
            self._made[rows] = self._make(rows)
        return self._made[rows]

    def _make(self, rows: int) -> _Ground:
        summary = write_sample(self._folder / f"odyssey-{rows}.db", scale=scale_of(rows))
        self._stack.callback(summary.path.unlink, missing_ok=True)
        uri = self._stack.enter_context(scratch_database(self._admin_uri))
        copies = self._stack.enter_context(copy_folder())
        folder = self._folder / f"loaded-{rows}"
        folder.mkdir()
        run_in_child(contender_named("migrate"), Task(summary.path, uri, folder, copies))
        return _Ground(summary.path, summary.total_rows, uri, copies, folder)


def race(
    admin_uri: str,
    contenders: Sequence[Contender],
    sizes: Sequence[int],
    repeats: int,
    folder: Path,
    tell: Callable[[str], None],
) -> Race:
    """Run the contenders one after the other, ``repeats`` times over, at each number of rows.

    A contender that fails is left out from then on, and named with the reason.
    """
    absent = {each.name: reason for each in contenders if (reason := each.unavailable()) is not None}
    samples: list[Sample] = []
    for size in sizes:
        tell(f"writing and loading a sample of {size:,} rows")
        with _grounds(admin_uri, folder) as grounds:
            _prepare_copies(grounds.of(size), contenders, absent)
            for repeat in range(1, repeats + 1):
                for contender in contenders:
                    if contender.name in absent:
                        continue
                    tell(f"{size:,} rows, {repeat} of {repeats}: {contender.name}")
                    try:
                        samples.extend(_measure(admin_uri, contender, grounds, size, folder))
                    except OdysseyError as error:
                        absent[contender.name] = str(error)
    return Race(tuple(samples), tuple(absent.items()))


def scale_of(rows: int) -> float:
    """The scale at which a sample has about this many rows."""
    return max(rows / sum(row_counts(NEWEST_VERSION, _PROBE_SCALE).values()) * _PROBE_SCALE, 0.01)


@contextmanager
def _grounds(admin_uri: str, folder: Path) -> Iterator[_Grounds]:
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="files-", dir=folder) as files:
        yield _Grounds(admin_uri, Path(files), stack)


def _prepare_copies(ground: _Ground, contenders: Sequence[Contender], absent: dict[str, str]) -> None:
    if any(contender.name == "limit" for contender in contenders) and "limit" not in absent:
        try:
            write_copy_files(ground.loaded_uri, ground.copies)
        except OdysseyError as error:
            absent["limit"] = f"the server cannot write its own copies of the tables: {error}"


def _measure(admin_uri: str, contender: Contender, grounds: _Grounds, size: int, folder: Path) -> Iterator[Sample]:
    whole = grounds.of(size)
    measured = whole
    if contender.largest_rows is not None and contender.largest_rows < size:
        measured = grounds.of(contender.largest_rows)
    with ExitStack() as stack:
        uri, scratch = measured.loaded_uri, measured.folder
        if not contender.needs_rows:
            uri = stack.enter_context(scratch_database(admin_uri))
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        server = stack.enter_context(watched_server(uri))
        result = run_in_child(contender, Task(measured.sqlite, uri, scratch, measured.copies))
    for measure in contender.measures:
        yield Sample(
            whole.rows,
            measured.rows,
            contender.name,
            measure.name,
            result.seconds[measure.name],
            result.peak_bytes,
            server.bytes,
        )
