"""The command ``odyssey benchmark``.

Belongs here: its options and its output. Does not belong here: the measurement (``race``).
"""

import json
import re
import shutil
import tempfile
from pathlib import Path

import click

from odyssey_assets.benchmark.chart import draw_chart
from odyssey_assets.benchmark.contenders import CONTENDERS
from odyssey_assets.benchmark.race import race
from odyssey_assets.benchmark.summary import as_document, as_markdown, summarize
from odyssey_assets.configuration import ENV_POSTGRES, settings_from_environment
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY, OdysseyError
from odyssey_assets.target import embedded

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kKmM]?)")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_SMALLEST_ROWS = 100
_NAMES = [contender.name for contender in CONTENDERS]


class RowCount(click.ParamType[int]):
    """A number of rows: 250000, 100k, 1.5M."""

    name = "rows"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = _SIZE.fullmatch(str(value).replace("_", "").replace(",", ""))
        rows = int(float(found["number"]) * _UNITS[found["unit"].lower()]) if found else 0
        if rows < _SMALLEST_ROWS:
            self.fail(f"{value!r} is not a number of rows from {_SMALLEST_ROWS} on, such as 100k or 1M.", param, ctx)
        return rows


@click.command()
@click.option("--scale", "sizes", type=RowCount(), multiple=True, metavar="ROWS", help="10k, 100k, 1M, 5M. Repeatable.")
@click.option("--repeat", type=click.IntRange(min=1), default=3, show_default=True, help="Rounds; medians are shown.")
@click.option("--contender", "names", type=click.Choice(_NAMES), multiple=True, help="Only these. Repeatable.")
@click.option(
    "--postgres", metavar="URL", help=f"A server that may make databases; else {ENV_POSTGRES}, else embedded."
)
@click.option("--chart", type=click.Path(path_type=Path, dir_okay=False), help="Write the chart of the loads, as SVG.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def benchmark(
    context: click.Context,
    sizes: tuple[int, ...],
    repeat: int,
    names: tuple[str, ...],
    postgres: str | None,
    chart: Path | None,
    as_json: bool,
    debug: bool,
) -> None:
    """Measure this project against the limit and the peers that are installed.

    Writes samples, makes databases of its own on the server, and removes both.
    """
    try:
        status = run_benchmark(sizes or (100_000,), repeat, names, postgres, chart, as_json=as_json)
    except OdysseyError as error:
        if debug:
            raise
        click.echo(f"odyssey: {error}", err=True)
        status = error.exit_status
    context.exit(status)


def run_benchmark(
    sizes: tuple[int, ...],
    repeat: int,
    names: tuple[str, ...],
    postgres: str | None,
    chart: Path | None,
    *,
    as_json: bool,
) -> int:
    """Run the race and print it; returns the exit status, 1 where one of this project's own runs failed."""
    settings = settings_from_environment()
    uri = postgres or settings.postgres_url or embedded.ensure_running(settings.state_dir).uri_of("postgres")
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=settings.state_dir))
    contenders = [contender for contender in CONTENDERS if not names or contender.name in names]
    try:
        found = race(uri, contenders, sizes, repeat, folder, lambda line: click.echo(line, err=True))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    summary = summarize(found)
    if chart is not None and not summary.empty:
        chart.write_text(draw_chart(summary))
    if as_json:
        click.echo(json.dumps(as_document(found, summary), ensure_ascii=False, indent=1))
    else:
        click.echo(as_markdown(found, summary), nl=False)
    own_failures = {name for name, _ in found.absent} & {"migrate", "verify"}
    return EXIT_INTEGRITY if own_failures else EXIT_DONE
