"""``odyssey watch``.

Belongs here: its options and its end. Does not belong here: what is looked at, and what is too much (the package
``watch``).
"""

import os

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.configuration import ENV_POSTGRES, settings_from_environment
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY


@click.command()
@click.option("--postgres", metavar="URL", help=f"The target; else {ENV_POSTGRES}, else the embedded server.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def watch(postgres: str | None, as_json: bool, debug: bool) -> int:
    """Look at how the server fares: connections, cache, locks, slow queries, dead rows.

    Ends with 1 where one of them is beyond its threshold or not visible.
    """
    from odyssey_assets.target.location import locate_target
    from odyssey_assets.watch import telling
    from odyssey_assets.watch.judging import thresholds
    from odyssey_assets.watch.look import keep_totals, last_totals, look

    if postgres:
        os.environ[ENV_POSTGRES] = postgres
    limits = thresholds()
    settings = settings_from_environment()
    url, folder = locate_target(settings), settings.state_dir / "watch"
    watched = look(url, last_totals(folder, url), limits)
    keep_totals(folder, url, watched.reading.totals)
    for line in telling.lines(watched):
        click.echo(line, err=as_json)
    if as_json:
        print_json(telling.document(watched))
    return EXIT_DONE if watched.ok else EXIT_INTEGRITY
