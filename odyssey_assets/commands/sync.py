"""``odyssey sync``.

Belongs here: its options. Does not belong here: how a job is run (``running``), or what it does (the package ``sync``).
"""

from typing import Any

import click

from odyssey_assets.commands.options import RunOptions, database_options, run_options, write_options
from odyssey_assets.commands.reporting import reporting
from odyssey_assets.commands.running import run_job


@click.command()
@database_options
@run_options
@write_options
@click.option(
    "--allow-deletes",
    "allowed_deletes",
    multiple=True,
    metavar="TABLE=N",
    help="Let the delete breaker pass up to N deletes of a table. Repeatable.",
)
@click.option(
    "--on-tamper",
    type=click.Choice(["repair", "stop"]),
    default="repair",
    show_default=True,
    help="Rows that somebody else changed in PostgreSQL: overwrite and report them, or refuse.",
)
@reporting
def sync(**options: Any) -> int:
    """Bring PostgreSQL in step with SQLite: only rows that differ are written, and everything is proven."""
    return run_job("sync", RunOptions(**options))
