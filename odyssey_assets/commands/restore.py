"""``odyssey restore``.

Belongs here: its options, asking before it acts, and its end. Does not belong here: restoring (the package ``backup``).
"""

import sys
from pathlib import Path
from typing import Any

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.configuration import ENV_SQLITE, Settings, settings_from_environment, sqlite_path_from
from odyssey_assets.errors import EXIT_DONE, ConfigurationError, RefusedError


@click.command()
@click.argument("backup_id", metavar="ID")
@click.option("--to", metavar="FILE", help=f"For a backup of SQLite: the file to replace or make; else {ENV_SQLITE}.")
@click.option("--into", metavar="URL", help="For a backup of PostgreSQL: the database to fill.")
@click.option("--replace", "replaces", is_flag=True, help="Put it in the place of a database that is not empty.")
@click.option("--no-privileges", is_flag=True, help="Grant nothing of what was granted; for roles that are not there.")
@click.option("--unseal", "unseals", is_flag=True, help="Let the restored file take writes though it was sealed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def restore(**options: Any) -> int:
    """Bring back the backup of ID; the beginning of an id is enough. What is replaced is kept under another name."""
    from odyssey_assets.backup.manifest import Kind
    from odyssey_assets.backup.store import find_backup

    settings = settings_from_environment()
    manifest = find_backup(settings.backup_dir, options["backup_id"])
    bring_back = _to_file if manifest.kind is Kind.SQLITE else _into_database
    document = bring_back(settings, manifest, options)
    if options["as_json"]:
        print_json({"ok": True, "backup": manifest.id, **document})
    return EXIT_DONE


def _to_file(settings: Settings, manifest: Any, options: dict[str, Any]) -> dict[str, object]:
    from odyssey_assets.backup.sqlite import restore_sqlite
    from odyssey_assets.source.fence import unseal

    if options["into"]:
        raise ConfigurationError(f"{manifest.id} is a backup of SQLite.", hint="Say where to with --to FILE.")
    path: Path | None = sqlite_path_from(options["to"]) if options["to"] else settings.sqlite_path
    if path is None:
        raise ConfigurationError("No file was named to restore to.", hint=f"Give --to FILE or set {ENV_SQLITE}.")
    _ask(f"Put {manifest.id} ({manifest.total_rows:,} rows) at {path}? The application must be stopped.", options)
    restored = restore_sqlite(settings.backup_dir, manifest, path)
    kept = restored.swapped.kept
    click.echo(f"Restored to {restored.swapped.live}, proven by its SHA-256 and integrity_check.", err=True)
    if kept:
        click.echo(f"What was there is kept at {kept} and takes no writes.", err=True)
    if restored.is_sealed and options["unseals"]:
        unseal(restored.swapped.live)
    elif restored.is_sealed:
        click.echo("The file was sealed when it was backed up, and takes no writes either; see --unseal.", err=True)
    return {"restored_to": str(restored.swapped.live), "kept": str(kept) if kept else None}


def _into_database(settings: Settings, manifest: Any, options: dict[str, Any]) -> dict[str, object]:
    from odyssey_assets.backup.postgresql import restore_postgresql
    from odyssey_assets.target.url import parse_target_url

    if options["to"] or not options["into"]:
        raise ConfigurationError(f"{manifest.id} is a backup of PostgreSQL.", hint="Say where to with --into URL.")
    url = parse_target_url(options["into"])
    _ask(f"Restore {manifest.id} ({manifest.total_rows:,} rows) into {url.redacted}?", options)
    restored = restore_postgresql(
        settings.backup_dir,
        manifest,
        url,
        replaces=options["replaces"],
        keeps_rights=not options["no_privileges"],
    )
    click.echo(f"Restored into {restored.database}; every table's digest is the one that was backed up.", err=True)
    if restored.kept:
        click.echo(f"What was there is kept as the database {restored.kept}.", err=True)
    return {"restored_to": restored.database, "kept": restored.kept}


def _ask(question: str, options: dict[str, Any]) -> None:
    if options["yes"]:
        return
    if not sys.stdin.isatty():
        raise RefusedError("There is nobody to ask.", hint="Say --yes; nothing was changed.")
    if not click.confirm(question, err=True):
        raise RefusedError("It was not confirmed.", hint="Nothing was changed.")
