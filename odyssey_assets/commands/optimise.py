"""``odyssey optimise``.

Belongs here: its options and its end. Does not belong here: which indexes, and making them (the package ``optimise``).
"""

import os

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.configuration import ENV_POSTGRES, settings_from_environment
from odyssey_assets.errors import EXIT_DONE


@click.command()
@click.option("--postgres", metavar="URL", help=f"The target; else {ENV_POSTGRES}, else the embedded server.")
@click.option("--drop", "is_dropping", is_flag=True, help="Take them off again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def optimise(postgres: str | None, is_dropping: bool, as_json: bool, debug: bool) -> int:
    """Make the indexes for the application's main queries while it goes on, and show what each brings."""
    from odyssey_assets.optimise import build, telling
    from odyssey_assets.target.location import locate_target

    if postgres:
        os.environ[ENV_POSTGRES] = postgres
    url = locate_target(settings_from_environment())
    do, word = (build.drop, "dropping") if is_dropping else (build.optimise, "making")
    results = do(url, on_step=lambda step: click.echo(f"{word} {step}", err=True))
    for line in telling.lines(results):
        click.echo(line, err=as_json)
    if as_json:
        print_json(telling.document(results))
    return EXIT_DONE
