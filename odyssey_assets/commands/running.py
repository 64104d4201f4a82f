"""What the commands do that bring data: the source they were given or a sample, and one job run in this process.

Belongs here: from options to a run and its document. Does not belong here: how Dagster runs it (``launch``), or how it
looks (``console``).
"""

import os
from pathlib import Path

import click

from odyssey_assets.commands.options import RunOptions
from odyssey_assets.commands.reporting import print_json
from odyssey_assets.configuration import ENV_POSTGRES, ENV_SQLITE, Settings, settings_from_environment, sqlite_path_from


def run_job(job: str, options: RunOptions) -> int:
    """Run one of the definitions' jobs in this process and report; returns the exit status."""
    from odyssey_assets.console import Console
    from odyssey_assets.launch import allowed_deletes, launch, selected_tables
    from odyssey_assets.source.snapshot import require_sqlite_file
    from odyssey_assets.target.url import parse_target_url

    if options.postgres:
        os.environ[ENV_POSTGRES] = options.postgres
    settings = settings_from_environment()
    tables = selected_tables(options.tables)
    path = sqlite_path_from(options.sqlite) if options.sqlite else settings.sqlite_path or sample_source(settings)
    # Before a server and Dagster are started, which takes seconds.
    require_sqlite_file(path)
    if settings.postgres_url:
        parse_target_url(settings.postgres_url)
    with Console() as console:
        document = launch(
            settings,
            job,
            tables,
            {
                "sqlite_path": str(path),
                "ignore_unknown": list(options.ignore_unknown),
                "json_as_jsonb": options.jsonb,
                "show_values": options.show_values,
                "quarantine": options.quarantine,
                "allowed_deletes": allowed_deletes(options.allowed_deletes),
                "on_tamper": options.on_tamper,
                "accept_new_source": options.accept_new_source,
            },
            console.on_progress,
        )
    if options.as_json:
        print_json(document)
    console.show(document, job)
    return int(str(document["exit_status"]))


def sample_source(settings: Settings) -> Path:
    """The sample database that stands in where no source was named; written on first use, and said so."""
    from odyssey_assets.sample.writer import write_sample

    path = settings.sample_path
    if path.exists():
        click.echo(f"No SQLite file was named; using the sample at {path}.", err=True)
    else:
        summary = write_sample(path)
        click.echo(
            f"No SQLite file was named; wrote a sample of {summary.total_rows:,} rows to {path}. "
            f"Your own: --sqlite FILE or {ENV_SQLITE}.",
            err=True,
        )
    return path
