"""``odyssey dev``.

Belongs here: making everything ready for the UI. Does not belong here: its processes (``processes``).
"""

import os
from dataclasses import replace

import click

from odyssey_assets.commands.reporting import reporting
from odyssey_assets.commands.running import sample_source
from odyssey_assets.configuration import ENV_SQLITE, settings_from_environment


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=3000, show_default=True, help="The next free port is taken if it is in use.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def dev(host: str, port: int, debug: bool) -> int:
    """Start the Dagster UI and daemon until interrupted."""
    from odyssey_assets.instance import close_broken_off_runs, open_instance, prepare_instance
    from odyssey_assets.processes import serve_ui

    settings = settings_from_environment()
    if settings.sqlite_path is None:
        settings = replace(settings, sqlite_path=sample_source(settings))
        os.environ[ENV_SQLITE] = str(settings.sqlite_path)
    prepare_instance(settings)
    with open_instance() as instance:
        close_broken_off_runs(settings, instance)
    return serve_ui(settings, host, port)
