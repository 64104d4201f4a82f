"""``odyssey slow-queries``.

Belongs here: its options and its end. Does not belong here: asking for them (``watch.statements``).
"""

import os

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.configuration import ENV_POSTGRES, settings_from_environment
from odyssey_assets.errors import EXIT_DONE, EXIT_REFUSED


@click.command("slow-queries")
@click.option("--postgres", metavar="URL", help=f"The target; else {ENV_POSTGRES}, else the embedded server.")
@click.option("--install", "installs", is_flag=True, help="First make the extension; takes a superuser.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def slow_queries(postgres: str | None, installs: bool, limit: int, as_json: bool, debug: bool) -> int:
    """List the slowest queries by their mean, from pg_stat_statements. Ends with 3 where they are not visible."""
    from odyssey_assets.target.location import locate_target
    from odyssey_assets.watch import statements, telling

    if postgres:
        os.environ[ENV_POSTGRES] = postgres
    url = locate_target(settings_from_environment())
    if installs:
        statements.install(url)
    slow = statements.slow_queries(url, limit=limit)
    for line in telling.slow_lines(slow):
        click.echo(line, err=as_json)
    if as_json:
        print_json({"ok": slow.statements is not None, **telling.slow_document(slow)})
    return EXIT_DONE if slow.statements is not None else EXIT_REFUSED
