"""``odyssey loadtest``.

Belongs here: its options and its end. Does not belong here: the load (the package ``loadtest``).
"""

import os
from pathlib import Path

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.configuration import ENV_POSTGRES, ENV_SQLITE, Settings, settings_from_environment, sqlite_path_from
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY, ConfigurationError


@click.command()
@click.option("--postgres", metavar="URL", help=f"The target; else {ENV_POSTGRES}, else the embedded server.")
@click.option("--clients", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--seconds", type=click.IntRange(min=1), default=60, show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Transactions that arrive in a second; else every client goes on at once, without a pause to think.",
)
@click.option("--limit-ms", type=click.FloatRange(min=0, min_open=True), default=200.0, show_default=True)
@click.option("--with-syncs", is_flag=True, help="Once more while re-syncs from --sqlite run, and the difference.")
@click.option("--sqlite", metavar="FILE", help=f"The source of the re-syncs; else {ENV_SQLITE}.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def loadtest(
    postgres: str | None,
    clients: int,
    seconds: int,
    rate: float | None,
    limit_ms: float,
    with_syncs: bool,
    sqlite: str | None,
    as_json: bool,
    debug: bool,
) -> int:
    """Put the application's main queries and votes on the target with many clients; no row is changed by it.

    Ends with 1 where a query failed, could not be tried, or 5 of 100 took longer than --limit-ms.
    """
    from odyssey_assets.loadtest import telling
    from odyssey_assets.loadtest.run import LoadOptions, load_test
    from odyssey_assets.model.schema import tables_in_order
    from odyssey_assets.sync.outcome import Request
    from odyssey_assets.target.location import locate_target

    if postgres:
        os.environ[ENV_POSTGRES] = postgres
    settings = settings_from_environment()
    source = _source(settings, sqlite) if with_syncs else None
    url = locate_target(settings)
    sync = source and Request(
        sqlite_path=source,
        target=url,
        snapshot_dir=settings.snapshot_dir,
        scratch_dir=settings.scratch_dir,
        publish=frozenset(table.name for table in tables_in_order()),
        verify=frozenset(),
        applies_changes=True,
    )
    options = LoadOptions(clients, seconds, rate, limit_ms)
    test = load_test(url, options, sync or None, lambda step: click.echo(step, err=True))
    for line in telling.lines(test):
        click.echo(line, err=as_json)
    if as_json:
        print_json(telling.document(test))
    return EXIT_DONE if test.ok else EXIT_INTEGRITY


def _source(settings: Settings, given: str | None) -> Path:
    path = sqlite_path_from(given) if given else settings.sqlite_path
    if path is None:
        raise ConfigurationError(
            "Re-syncs need the SQLite file they read.", hint=f"Give --sqlite FILE or set {ENV_SQLITE}."
        )
    return path
