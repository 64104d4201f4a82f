"""``odyssey benchmark``.

Belongs here: its options. Does not belong here: what is measured, and how (the package ``benchmark``).
"""

from pathlib import Path

import click

from odyssey_assets.commands.reporting import reporting
from odyssey_assets.configuration import settings_from_environment


@click.command()
@click.option("--scale", "sizes", multiple=True, metavar="ROWS", help="10k, 100k, 1M, 5M. Repeatable.")
@click.option("--repeat", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--contender", "contenders", multiple=True, metavar="NAME", help="Only these. Repeatable.")
@click.option("--postgres", metavar="URL", help="A server to measure against; else the embedded one.")
@click.option("--chart", type=click.Path(path_type=Path, dir_okay=False), help="Write a chart as SVG.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def benchmark(
    sizes: tuple[str, ...],
    repeat: int,
    contenders: tuple[str, ...],
    postgres: str | None,
    chart: Path | None,
    as_json: bool,
    debug: bool,
) -> int:
    """Measure this project against the limit and the peers that are installed."""
    from odyssey_assets.benchmark.command import BenchmarkOptions, run_benchmark

    options = BenchmarkOptions(sizes, repeat, contenders, postgres, chart, as_json)
    report = run_benchmark(settings_from_environment(), options, lambda line: click.echo(line, err=True))
    click.echo(report.text, nl=False)
    return report.exit_status
