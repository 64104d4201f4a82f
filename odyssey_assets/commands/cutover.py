"""``odyssey cutover``.

Belongs here: its options, and telling how it goes. Does not belong here: doing it (``cutover.machine``).
"""

import os
import uuid

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.commands.switching import named_source, require_consent, switching_options
from odyssey_assets.configuration import ENV_POSTGRES, settings_from_environment
from odyssey_assets.errors import EXIT_DONE


@click.command()
@click.option("--rehearse", is_flag=True, help="Everything but the switch; writers are kept out meanwhile.")
@click.option("--resume", "is_resumed", is_flag=True, help="Go on with the one that was broken off.")
@click.option("--abort", "is_aborted", is_flag=True, help="Give up the one that was broken off.")
@click.option("--release", is_flag=True, help="Leave the SQLite file writable after the switch, instead of sealed.")
@click.option(
    "--fence-seconds",
    type=click.FloatRange(min=1),
    default=900.0,
    show_default=True,
    help="How long writers may be kept out; then it aborts and releases by itself.",
)
@click.option(
    "--wait-seconds",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="How long a writer that is at it may take to finish.",
)
@click.option(
    "--check-url",
    "url_checks",
    multiple=True,
    metavar="URL[=STATUS]",
    help="A page that must answer with this status, else 200, once the application runs on PostgreSQL. Repeatable.",
)
@click.option(
    "--smoke-seconds",
    type=click.FloatRange(min=0),
    default=120.0,
    show_default=True,
    help="How long a page may take to answer as it should.",
)
@switching_options
@reporting
def cutover(
    sqlite: str | None,
    postgres: str | None,
    rehearse: bool,
    is_resumed: bool,
    is_aborted: bool,
    release: bool,
    fence_seconds: float,
    wait_seconds: float,
    url_checks: tuple[str, ...],
    smoke_seconds: float,
    ignore_unknown: tuple[str, ...],
    yes: bool,
    as_json: bool,
    debug: bool,
) -> int:
    """Switch the application to PostgreSQL, or rehearse it: fence, backup, final sync, proof, switch, certificate."""
    from odyssey_assets.cutover import machine, store
    from odyssey_assets.cutover.request import CutoverRequest, url_check
    from odyssey_assets.cutover.telling import cutover_document, question, step_line, summary
    from odyssey_assets.target.location import locate_target

    if postgres:
        os.environ[ENV_POSTGRES] = postgres
    settings = settings_from_environment()
    request = CutoverRequest(
        sqlite_path=named_source(sqlite, settings.sqlite_path),
        target=locate_target(settings),
        snapshot_dir=settings.snapshot_dir,
        scratch_dir=settings.scratch_dir,
        backup_dir=settings.backup_dir,
        certificate_dir=settings.certificate_dir,
        is_rehearsal=rehearse,
        seals_source=not release,
        ignore_unknown=frozenset(ignore_unknown),
        fence_seconds=fence_seconds,
        wait_seconds=wait_seconds,
        url_checks=tuple(map(url_check, url_checks)),
        smoke_seconds=smoke_seconds,
        run_id=str(uuid.uuid4()),
    )
    if is_aborted:
        done = machine.abort(request)
    else:
        if not (yes or is_resumed):
            require_consent(question(request, dict(store.expected_seconds(request.target))))
        go = machine.resume if is_resumed else machine.cut_over
        done = go(request, lambda progress: click.echo(step_line(progress), err=True))
    if as_json:
        print_json(cutover_document(done))
    click.echo(summary(request, done), err=as_json)
    return EXIT_DONE
