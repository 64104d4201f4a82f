"""One benchmark from what was asked for to the text that is printed.

Belongs here: understanding sizes, finding a server, choosing the form of the answer. Does not belong here: the
measurement (``race``), or the command line itself (``commands``).
"""

import json
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.benchmark.chart import draw_chart
from odyssey_assets.benchmark.contenders import CONTENDERS
from odyssey_assets.benchmark.race import race
from odyssey_assets.benchmark.summary import as_document, as_markdown, summarize
from odyssey_assets.configuration import Settings
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY, ConfigurationError
from odyssey_assets.target import embedded

DEFAULT_ROWS = 100_000
SMALLEST_ROWS = 100
OWN_CONTENDERS = frozenset({"migrate", "verify"})

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[km]?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True)
class BenchmarkOptions:
    """``sizes`` are numbers of rows such as 100k; none means one size, no ``contenders`` means all of them."""

    sizes: tuple[str, ...] = ()
    repeats: int = 3
    contenders: tuple[str, ...] = ()
    postgres: str | None = None
    chart: Path | None = None
    as_json: bool = False


@dataclass(frozen=True)
class BenchmarkReport:
    """``text`` is for stdout. The exit status is 1 where one of this project's own runs failed."""

    text: str
    exit_status: int


def run_benchmark(settings: Settings, options: BenchmarkOptions, tell: Callable[[str], None]) -> BenchmarkReport:
    """Run the race on databases made for it, and report. ``tell`` is given a line before each run.

    Raises ConfigurationError for sizes and names that make no sense, UnreachableError where there is no server.
    """
    sizes = tuple(map(rows_from, options.sizes)) or (DEFAULT_ROWS,)
    unknown = sorted(set(options.contenders) - {contender.name for contender in CONTENDERS})
    if unknown:
        raise ConfigurationError(
            f"There is no contender {', '.join(unknown)}.",
            hint=f"There are {', '.join(contender.name for contender in CONTENDERS)}.",
        )
    contenders = [each for each in CONTENDERS if not options.contenders or each.name in options.contenders]
    uri = options.postgres or settings.postgres_url or embedded.ensure_running(settings.state_dir).uri_of("postgres")
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=settings.state_dir))
    try:
        found = race(uri, contenders, sizes, options.repeats, folder, tell)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    summary = summarize(found)
    if options.chart is not None and not summary.empty:
        options.chart.write_text(draw_chart(summary))
    text = (
        json.dumps(as_document(found, summary), ensure_ascii=False, indent=1) + "\n"
        if options.as_json
        else as_markdown(found, summary)
    )
    has_failed = OWN_CONTENDERS & {name for name, _ in found.absent}
    return BenchmarkReport(text, EXIT_INTEGRITY if has_failed else EXIT_DONE)


def rows_from(text: str) -> int:
    """A number of rows: 250000, 100k, 1.5M. Raises ConfigurationError for anything else."""
    found = _SIZE.fullmatch(text.strip().replace("_", "").replace(",", ""))
    rows = int(float(found["number"]) * _UNITS[found["unit"].lower()]) if found else 0
    if rows < SMALLEST_ROWS:
        raise ConfigurationError(f"{text!r} is not a number of rows from {SMALLEST_ROWS} on, such as 100k or 1M.")
    return rows
