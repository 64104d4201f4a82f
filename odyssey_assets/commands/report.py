"""``odyssey report``.

Belongs here: its options. Does not belong here: what it tells (``report.command``).
"""

import click

from odyssey_assets.commands.reporting import reporting
from odyssey_assets.configuration import settings_from_environment


@click.command()
@click.argument("run_id", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many to list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def report(run_id: str | None, limit: int, as_json: bool, debug: bool) -> int:
    """List the newest reports of runs, or print where the one of RUN_ID is; the beginning of an id is enough."""
    from odyssey_assets.report.command import run_report

    return run_report(settings_from_environment().report_dir, run_id, limit, click.echo, as_json=as_json)
