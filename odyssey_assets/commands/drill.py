"""``odyssey drill``.

Belongs here: its options and its end. Does not belong here: the attempt itself (``backup.drill``).
"""

from dataclasses import replace

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.configuration import ENV_POSTGRES, ENV_SCRATCH, settings_from_environment
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY, ConfigurationError


@click.command()
@click.argument("backup_id", metavar="[ID]", required=False)
@click.option("--postgres", metavar="URL", help=f"The server; else {ENV_POSTGRES}, else the embedded one.")
@click.option("--scratch-url", metavar="URL", help=f"Another server to try on; else {ENV_SCRATCH}.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def drill(backup_id: str | None, postgres: str | None, scratch_url: str | None, as_json: bool, debug: bool) -> int:
    """Restore a backup into scratch and compare: the newest of each side, or the one of ID."""
    from odyssey_assets.backup.drill import drill as try_restore
    from odyssey_assets.backup.manifest import Kind, manifest_document
    from odyssey_assets.backup.run import place_for_drills
    from odyssey_assets.backup.store import find_backup, list_backups
    from odyssey_assets.commands.backup_table import line
    from odyssey_assets.target.location import locate_target

    given = settings_from_environment()
    settings = replace(
        given,
        postgres_url=postgres or given.postgres_url,
        scratch_postgres_url=scratch_url or given.scratch_postgres_url,
    )
    if backup_id:
        chosen = [find_backup(settings.backup_dir, backup_id)]
    else:
        chosen = [found[0] for kind in Kind if (found := list_backups(settings.backup_dir).of(kind))]
    if not chosen:
        raise ConfigurationError("There are no backups yet.", hint="Take one with odyssey backup.")
    tried = []
    for manifest in chosen:
        needs_server = manifest.kind is Kind.POSTGRESQL and not settings.scratch_postgres_url
        place = place_for_drills(settings, locate_target(settings) if needs_server else None)
        tried.append(try_restore(settings.backup_dir, manifest, place))
        click.echo(line(tried[-1]), err=True)
    is_proven = all(manifest.is_restorable for manifest in tried)
    if as_json:
        print_json({"ok": is_proven, "backups": [manifest_document(manifest) for manifest in tried]})
    return EXIT_DONE if is_proven else EXIT_INTEGRITY
