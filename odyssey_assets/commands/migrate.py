"""``odyssey migrate``.

Belongs here: its options. Does not belong here: how a job is run (``running``), or what it does (``sync``).
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
@click.option("--jsonb", is_flag=True, help="Create JSON columns as jsonb; Prisma will report it as drift.")
@reporting
def migrate(**options: Any) -> int:
    """Bring every table into an empty PostgreSQL schema and prove every cell equal."""
    return run_job("migrate", RunOptions(**options))
