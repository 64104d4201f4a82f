"""``odyssey server``.

Belongs here: its words. Does not belong here: the embedded server itself (``target.embedded``).
"""

import click

from odyssey_assets.commands.reporting import reporting
from odyssey_assets.configuration import settings_from_environment
from odyssey_assets.errors import EXIT_DONE


@click.command()
@click.argument("action", type=click.Choice(["start", "stop", "status"]))
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def server(action: str, debug: bool) -> int:
    """Start, stop or look at the embedded PostgreSQL."""
    from odyssey_assets.target import embedded

    state_dir = settings_from_environment().state_dir
    if action == "stop":
        click.echo("stopped" if embedded.stop(state_dir) else "was not running")
        return EXIT_DONE
    found = embedded.ensure_running(state_dir) if action == "start" else embedded.status(state_dir)
    click.echo(f"running on 127.0.0.1:{found.port}, data in {found.data_dir}" if found else "not running")
    return EXIT_DONE
