"""What the commands about the switch have in common.

Belongs here: options of ``cutover`` and ``rollback``, the source that must be named, and asking a person. Does not
belong here: either command.
"""

from collections.abc import Callable
from pathlib import Path

import click

from odyssey_assets.configuration import ENV_POSTGRES, ENV_SQLITE, sqlite_path_from
from odyssey_assets.errors import ConfigurationError, RefusedError


def switching_options(command: Callable[..., None]) -> Callable[..., None]:
    """--sqlite, --postgres, --ignore-unknown, --yes, --json and --debug."""
    for option in (
        click.option("--debug", is_flag=True, help="Show tracebacks."),
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--ignore-unknown", multiple=True, metavar="NAME", help="As for migrate. Repeatable."),
        click.option("--postgres", metavar="URL", help=f"The target; else {ENV_POSTGRES}, else the embedded server."),
        click.option("--sqlite", metavar="FILE", help=f"The application's live file; else {ENV_SQLITE}."),
    ):
        command = option(command)
    return command


def named_source(given: str | None, from_environment: Path | None) -> Path:
    """The live file. Nothing stands in for it: what is switched must have been named."""
    path = sqlite_path_from(given) if given else from_environment
    if path is None:
        raise ConfigurationError("No SQLite file was named.", hint=f"Give --sqlite FILE or set {ENV_SQLITE}.")
    return path


def require_consent(question: str) -> None:
    """Ask. Raises RefusedError unless a person says yes, also where there is nobody to ask."""
    try:
        agreed = click.confirm(question, default=False, err=True)
    except click.Abort:
        agreed = False
    if not agreed:
        raise RefusedError("Nothing was done.", hint="Say --yes to go on without being asked.")
