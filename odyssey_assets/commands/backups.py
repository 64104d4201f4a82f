"""``odyssey backups``.

Belongs here: its options and its end. Does not belong here: where backups are kept (``backup.store``).
"""

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.configuration import settings_from_environment
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def backups(as_json: bool, debug: bool) -> int:
    """List the backups there are, newest first, and whether each was restored."""
    from odyssey_assets.backup.manifest import manifest_document
    from odyssey_assets.backup.store import list_backups
    from odyssey_assets.commands.backup_table import line

    folder = settings_from_environment().backup_dir
    found = list_backups(folder)
    if as_json:
        print_json({"backups": [manifest_document(each) for each in found.readable], "damaged": list(found.unreadable)})
    else:
        for manifest in found.readable:
            click.echo(line(manifest))
        if not found.readable:
            click.echo(f"There are no backups in {folder} yet.")
    for name in found.unreadable:
        click.echo(f"{name}  its manifest is damaged", err=True)
    return EXIT_INTEGRITY if found.unreadable else EXIT_DONE
