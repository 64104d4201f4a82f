"""How a command ends: its exit status, one sentence where it failed, one document where --json was given.

Belongs here: what every command does alike at its end. Does not belong here: what a document says (``report``).
"""

import functools
import json
import sys
from collections.abc import Callable
from typing import ParamSpec

import click

from odyssey_assets.errors import EXIT_INTEGRITY, OdysseyError
from odyssey_assets.interruption import interruption

Parameters = ParamSpec("Parameters")


def reporting(command: Callable[Parameters, int]) -> Callable[Parameters, None]:
    """End with the command's status; one of our errors becomes its sentence on stderr, unless --debug."""

    @functools.wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            with interruption():
                status = command(*args, **kwargs)
        except OdysseyError as error:
            if kwargs.get("debug"):
                raise
            if kwargs.get("as_json"):
                from odyssey_assets.report.document import error_document

                print_json(error_document(error))
            click.echo(f"odyssey: {error}", err=True)
            status = error.exit_status
        except Exception as error:
            if kwargs.get("debug"):
                raise
            click.echo(f"odyssey: unexpected {type(error).__name__}; run again with --debug and report it.", err=True)
            status = EXIT_INTEGRITY
        sys.exit(status)

    return wrapped


def print_json(document: object) -> None:
    """One document on stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=1))
