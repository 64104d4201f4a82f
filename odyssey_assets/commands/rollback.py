"""``odyssey rollback``.

Belongs here: its options, asking, and telling. Does not belong here: doing it (``cutover.rollback`` and ``reset``).
"""

import os
import uuid
from pathlib import Path

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.commands.switching import named_source, require_consent, switching_options
from odyssey_assets.configuration import ENV_POSTGRES, settings_from_environment
from odyssey_assets.errors import EXIT_DONE


@click.command()
@click.option("--carry-back", is_flag=True, help="Take along what was written to PostgreSQL since the switch.")
@click.option(
    "--base",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="For --carry-back: the SQLite copy to start from, instead of the snapshot of the switch.",
)
@click.option(
    "--allow-loss",
    "allowed_losses",
    multiple=True,
    metavar="NAME",
    help="For --carry-back: a table, or a column as Table.column, that SQLite has no place for. Repeatable.",
)
@click.option("--reset-target", is_flag=True, help="Afterwards empty PostgreSQL; refused while anyone is connected.")
@switching_options
@reporting
def rollback(
    sqlite: str | None,
    postgres: str | None,
    carry_back: bool,
    base: Path | None,
    allowed_losses: tuple[str, ...],
    reset_target: bool,
    ignore_unknown: tuple[str, ...],
    yes: bool,
    as_json: bool,
    debug: bool,
) -> int:
    """Go back to SQLite after a cut-over, losing nothing."""
    from odyssey_assets.console import Console
    from odyssey_assets.cutover.reset import reset_target as empty_target
    from odyssey_assets.cutover.rollback import (
        RollbackRequest,
        roll_back,
        roll_back_with_writes,
        rolled_back_before,
    )
    from odyssey_assets.cutover.telling import reset_question, rollback_document, rollback_question, rollback_summary
    from odyssey_assets.target.location import locate_target

    if postgres:
        os.environ[ENV_POSTGRES] = postgres
    settings = settings_from_environment()
    request = RollbackRequest(
        sqlite_path=named_source(sqlite, settings.sqlite_path),
        target=locate_target(settings),
        snapshot_dir=settings.snapshot_dir,
        scratch_dir=settings.scratch_dir,
        certificate_dir=settings.certificate_dir,
        carry_back_dir=settings.carry_back_dir,
        ignore_unknown=frozenset(ignore_unknown),
        allowed_losses=frozenset(allowed_losses),
        base=base,
        run_id=str(uuid.uuid4()),
    )
    done = rolled_back_before(request) if reset_target and not carry_back else None
    if not yes:
        require_consent(
            reset_question(request)
            if done is not None
            else rollback_question(request, carries_back=carry_back, resets_target=reset_target)
        )
    if done is None:
        with Console() as console:
            done = (roll_back_with_writes if carry_back else roll_back)(request, console.on_progress)
    reset = empty_target(request.target) if reset_target else None
    if as_json:
        print_json(rollback_document(done, reset))
    click.echo(rollback_summary(done, reset), err=as_json)
    return EXIT_DONE
