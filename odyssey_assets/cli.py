"""The ``odyssey`` command.

Belongs here: the list of its commands and nothing else. Does not belong here: the commands, each a module of its own in
``commands``.
"""

import click

from odyssey_assets import __version__
from odyssey_assets.commands.alert_test import alert_test
from odyssey_assets.commands.backup import backup
from odyssey_assets.commands.backups import backups
from odyssey_assets.commands.benchmark import benchmark
from odyssey_assets.commands.calibrate import calibrate
from odyssey_assets.commands.cutover import cutover
from odyssey_assets.commands.dev import dev
from odyssey_assets.commands.drill import drill
from odyssey_assets.commands.exec import exec_
from odyssey_assets.commands.loadtest import loadtest
from odyssey_assets.commands.migrate import migrate
from odyssey_assets.commands.optimise import optimise
from odyssey_assets.commands.preflight import preflight
from odyssey_assets.commands.provision import provision
from odyssey_assets.commands.report import report
from odyssey_assets.commands.restore import restore
from odyssey_assets.commands.rollback import rollback
from odyssey_assets.commands.sample import sample
from odyssey_assets.commands.server import server
from odyssey_assets.commands.slow_queries import slow_queries
from odyssey_assets.commands.sync import sync
from odyssey_assets.commands.verify import verify
from odyssey_assets.commands.watch import watch


def main() -> None:
    """The entry point of the installed command."""
    cli(prog_name="odyssey")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def cli() -> None:
    """Moves Odyssey Feedback from SQLite to PostgreSQL, proven cell by cell."""


COMMANDS = (
    preflight,
    migrate,
    sync,
    verify,
    cutover,
    rollback,
    backup,
    backups,
    restore,
    drill,
    report,
    calibrate,
    benchmark,
    optimise,
    loadtest,
    watch,
    slow_queries,
    provision,
    sample,
    dev,
    exec_,
    server,
    alert_test,
)
for command in COMMANDS:
    cli.add_command(command)
