"""``odyssey calibrate``.

Belongs here: its options. Does not belong here: faults and trials (``calibration``).
"""

import click

from odyssey_assets.commands.reporting import reporting
from odyssey_assets.configuration import settings_from_environment


@click.command()
@click.option("--scale", type=float, default=0.1, show_default=True, help="1 is about 1,750 rows, 1000 about 1.75 M.")
@click.option("--postgres", metavar="URL", help="A server to make databases on; else the embedded one.")
@click.option("--markdown", "markdown_only", is_flag=True, help="Only the tables, as docs/proof.md has them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def calibrate(scale: float, postgres: str | None, markdown_only: bool, as_json: bool, debug: bool) -> int:
    """Plant one fault after another in databases made for it, and see which checks tell of each."""
    from odyssey_assets.calibration.command import CalibrationOptions, run_calibration

    options = CalibrationOptions(scale, postgres, as_json, markdown_only)
    report = run_calibration(settings_from_environment(), options, lambda line: click.echo(line, err=True))
    click.echo(report.text, nl=False)
    return report.exit_status
