"""``odyssey exec``.

Belongs here: becoming another program on this project's instance. Does not belong here: making the instance ready
(``instance``), or starting several programs (``dev``).
"""

import os
import shutil
import sys
from pathlib import Path

import click

from odyssey_assets.commands.reporting import reporting
from odyssey_assets.configuration import ENV_POSTGRES, ENV_SCRATCH, FILE_SUFFIX, settings_from_environment
from odyssey_assets.errors import ConfigurationError


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@reporting
def exec_(command: tuple[str, ...]) -> int:
    """Become COMMAND, one of Dagster's own programs, on the instance that Odyssey's commands use.

    Makes DAGSTER_HOME ready for the run launcher that ODYSSEY_RUN_LAUNCHER names, and takes the password of Dagster's
    storage from where ODYSSEY_DAGSTER_POSTGRES_URL_FILE says. For example: odyssey exec dagster-daemon liveness-check
    """
    from odyssey_assets.instance import prepare_instance

    folder = Path(sys.executable).parent
    # For the children too: dagster-celery looks for celery there.
    os.environ["PATH"] = os.pathsep.join((str(folder), os.environ.get("PATH", os.defpath)))
    program = shutil.which(command[0])
    if program is None:
        raise ConfigurationError(f"There is no program named {command[0]}.", hint=f"Dagster's own are in {folder}.")
    # The UI and the daemon need no password of the target, and may not have been given the file that holds it.
    targets = (ENV_POSTGRES + FILE_SUFFIX, ENV_SCRATCH + FILE_SUFFIX)
    prepare_instance(settings_from_environment({key: text for key, text in os.environ.items() if key not in targets}))
    os.execv(program, command)
