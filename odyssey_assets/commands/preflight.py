"""``odyssey preflight``.

Belongs here: its options and its end. Does not belong here: what it looks at (the package ``preflight``).
"""

import os
from typing import Any

import click

from odyssey_assets.commands.options import RunOptions, database_options
from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.commands.running import sample_source
from odyssey_assets.configuration import ENV_POSTGRES, settings_from_environment, sqlite_path_from
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY


@click.command()
@database_options
@click.option("--ignore-unknown", multiple=True, metavar="NAME", help="As for migrate. Repeatable.")
@reporting
def preflight(**options: Any) -> int:
    """Look at source and target, change nothing, and list everything that stands in the way."""
    from odyssey_assets.console import Console
    from odyssey_assets.interruption import interruption
    from odyssey_assets.launch import selected_tables
    from odyssey_assets.preflight.run import PreflightRequest, run_preflight
    from odyssey_assets.report.document import preflight_document
    from odyssey_assets.target.location import embedded_data_dir, locate_target

    given = RunOptions(**options)
    if given.postgres:
        os.environ[ENV_POSTGRES] = given.postgres
    settings = settings_from_environment()
    tables = selected_tables(given.tables)
    path = sqlite_path_from(given.sqlite) if given.sqlite else settings.sqlite_path or sample_source(settings)
    with Console() as console, interruption() as received:
        request = PreflightRequest(
            path,
            locate_target(settings),
            settings.snapshot_dir,
            tables,
            frozenset(given.ignore_unknown),
            embedded_data_dir(settings),
        )
        verdict = received.run(lambda: run_preflight(request, received.listening(console.on_progress)))
    document = preflight_document(verdict)
    if given.as_json:
        print_json(document)
    console.show_preflight(document)
    return EXIT_DONE if verdict.ok else EXIT_INTEGRITY
