"""``odyssey backup``.

Belongs here: its options and its end. Does not belong here: taking backups (the package ``backup``).
"""

from dataclasses import replace

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.commands.running import sample_source
from odyssey_assets.configuration import (
    ENV_POSTGRES,
    ENV_SCRATCH,
    ENV_SQLITE,
    settings_from_environment,
    sqlite_path_from,
)
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY, OdysseyError


@click.command()
@click.option("--only", type=click.Choice(["sqlite", "postgresql"]), help="One side instead of both.")
@click.option("--sqlite", metavar="FILE", help=f"The source; else {ENV_SQLITE}, else the sample.")
@click.option("--postgres", metavar="URL", help=f"The target; else {ENV_POSTGRES}, else the embedded server.")
@click.option("--sql", "has_sql", is_flag=True, help="Also write the whole of SQLite as SQL.")
@click.option("--no-drill", is_flag=True, help="Do not try to restore it now; until then it does not count.")
@click.option("--scratch-url", metavar="URL", help=f"Where to try PostgreSQL's; else {ENV_SCRATCH}, else beside it.")
@click.option("--keep", type=click.IntRange(min=1), help="How many of each side stay.  [default: 7]")
@click.option("--note", default="", help="Why it was taken.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def backup(
    only: str | None,
    sqlite: str | None,
    postgres: str | None,
    has_sql: bool,
    no_drill: bool,
    scratch_url: str | None,
    keep: int | None,
    note: str,
    as_json: bool,
    debug: bool,
) -> int:
    """Back up SQLite and PostgreSQL, and restore each into scratch to prove that it can be."""
    from odyssey_assets.backup.manifest import Kind, Manifest, manifest_document
    from odyssey_assets.backup.retention import KEPT
    from odyssey_assets.backup.run import BackupRequest, back_up, place_for_drills
    from odyssey_assets.commands.backup_table import line
    from odyssey_assets.target.location import locate_target

    given = settings_from_environment()
    settings = replace(
        given,
        postgres_url=postgres or given.postgres_url,
        scratch_postgres_url=scratch_url or given.scratch_postgres_url,
    )
    kinds = [Kind(only)] if only else list(Kind)
    path = sqlite_path_from(sqlite) if sqlite else settings.sqlite_path
    if path is None and Kind.SQLITE in kinds:
        path = sample_source(settings)
    taken: list[Manifest] = []
    failures: list[OdysseyError] = []
    for kind in kinds:
        # One side that fails is no reason to leave the other without a backup.
        try:
            target = locate_target(settings) if kind is Kind.POSTGRESQL else None
            place = place_for_drills(settings, target)
            request = BackupRequest(settings.backup_dir, place, path, target, keep or KEPT, has_sql, not no_drill, note)
            taken.append(back_up(request, kind))
            click.echo(line(taken[-1]), err=True)
        except OdysseyError as error:
            failures.append(error)
    if failures:
        for other in failures[1:]:
            click.echo(f"odyssey: {other}", err=True)
        raise failures[0]
    is_proven = no_drill or all(manifest.is_restorable for manifest in taken)
    if as_json:
        print_json({"ok": is_proven, "backups": [manifest_document(manifest) for manifest in taken]})
    return EXIT_DONE if is_proven else EXIT_INTEGRITY
