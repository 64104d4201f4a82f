"""``odyssey verify``.

Belongs here: its options. Does not belong here: how a job is run (``running``), or what it does (``sync``).
"""

from typing import Any

import click

from odyssey_assets.commands.options import RunOptions, database_options, run_options
from odyssey_assets.commands.reporting import reporting
from odyssey_assets.commands.running import run_job


@click.command()
@database_options
@run_options
@reporting
def verify(**options: Any) -> int:
    """Run every integrity check and change nothing."""
    return run_job("verify", RunOptions(**options))
