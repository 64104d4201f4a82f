"""Options that several commands have in common.

Belongs here: their names, help and defaults. Does not belong here: what becomes of them (``running``, the commands).
"""

from collections.abc import Callable
from dataclasses import dataclass

import click

from odyssey_assets.configuration import ENV_POSTGRES, ENV_SQLITE


@dataclass(frozen=True)
class RunOptions:
    """What the commands that run the engine were given."""

    sqlite: str | None
    postgres: str | None
    tables: str | None
    as_json: bool
    debug: bool
    ignore_unknown: tuple[str, ...]
    show_values: bool = False
    jsonb: bool = False
    quarantine: bool = False
    allowed_deletes: tuple[str, ...] = ()
    on_tamper: str = "repair"
    accept_new_source: bool = False


def database_options(command: Callable[..., None]) -> Callable[..., None]:
    """--sqlite, --postgres, --tables, --json and --debug."""
    for option in (
        click.option("--debug", is_flag=True, help="Show tracebacks."),
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr."),
        click.option("--tables", metavar="A,B", help="Only these tables."),
        click.option("--postgres", metavar="URL", help=f"The target; else {ENV_POSTGRES}, else the embedded server."),
        click.option("--sqlite", metavar="FILE", help=f"The source; else {ENV_SQLITE}, else a sample is written."),
    ):
        command = option(command)
    return command


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the commands that run the engine."""
    for option in (
        click.option("--show-values", is_flag=True, help="Show the values of differing cells, secrets excepted."),
        click.option(
            "--ignore-unknown",
            multiple=True,
            metavar="NAME",
            help="A table, or a column as Table.column, that may stay behind. Repeatable.",
        ),
    ):
        command = option(command)
    return command


def write_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the commands that change the target."""
    for option in (
        click.option(
            "--quarantine", is_flag=True, help="Carry every good row and hold the others back, instead of stopping."
        ),
        click.option(
            "--accept-new-source", is_flag=True, help="Take the SQLite file even if another one was published last."
        ),
    ):
        command = option(command)
    return command
