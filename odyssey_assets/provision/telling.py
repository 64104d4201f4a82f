"""What ``odyssey provision`` tells: the statements beforehand, and afterwards what was done and the URLs, once.

Belongs here: text, and the one file passwords are written to. Does not belong here: options (``commands.provision``).
"""

import os
import tempfile
from pathlib import Path

from odyssey_assets.errors import ConfigurationError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.provision.apply import Provisioned
from odyssey_assets.provision.roles import PURPOSE, VARIABLE, Duty, Plan
from odyssey_assets.provision.steps import database_step, steps_within
from odyssey_assets.target.url import login_url


def script(plan: Plan) -> str:
    """Every statement, for psql; ``:'owner_password'`` is where psql puts in a variable as a literal."""
    lines = [
        "-- For psql, as an administrator.",
        *(f"\\prompt 'Password for {duty}: ' {duty}_password" for duty in plan.roles),
        f"{database_step(plan).statement};",
        f"\\connect {quoted(plan.database)}",
        "BEGIN;",
    ]
    for step in steps_within(plan):
        duty = step.gives_password_to
        placeholder = "" if duty is None else f":'{duty}_password'"
        lines.append(f"{step.statement.replace('%s', placeholder)};")
    return "\n".join([*lines, "COMMIT;"])


def env_lines(provisioned: Provisioned, admin: str) -> str:
    """A line for each role whose password was set now, with what the role is for above it."""
    return "".join(
        f'# {PURPOSE[duty]}\n{VARIABLE[duty]}="{_url(provisioned, admin, duty)}"\n' for duty in provisioned.passwords
    )


def document(provisioned: Provisioned, admin: str, *, shows_urls: bool) -> dict[str, object]:
    """The same for a machine; ``url`` is null where the password is not known here or was written to a file."""
    plan = provisioned.plan
    return {
        "ok": True,
        "changed": bool(provisioned.done),
        "database": plan.database,
        "schema": plan.schema,
        "roles": [
            {
                "role": role,
                "duty": duty.value,
                "variable": VARIABLE[duty],
                "password_set": duty in provisioned.passwords,
                "url": _url(provisioned, admin, duty) if shows_urls and duty in provisioned.passwords else None,
            }
            for duty, role in plan.roles.items()
        ],
        "done": list(provisioned.done),
    }


def _url(provisioned: Provisioned, admin: str, duty: Duty) -> str:
    plan = provisioned.plan
    return login_url(admin, plan.roles[duty], provisioned.passwords[duty], plan.database, schema=plan.schema)


class EnvFile:
    """A file only its owner can read, written whole beside its place and moved there at the end.

    Raises ConfigurationError where it is there already, for it may hold passwords that are not known elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        if self.path.exists():
            raise ConfigurationError(
                f"The file {self.path} is there already.", hint="Move it away, or name another with --write-env."
            )
        self._waiting: Path | None = None

    def prepare(self, text: str) -> None:
        """Put the text on disk, before the passwords in it come to hold."""
        try:
            # mkstemp's files are 0600 from the start.
            descriptor, path = tempfile.mkstemp(prefix=f".{self.path.name}-", dir=self.path.parent)
        except OSError as error:
            raise ConfigurationError(f"The file {self.path} cannot be written: {error.strerror}.") from error
        self._waiting = Path(path)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def keep(self) -> None:
        """Move it to its place, once the passwords hold."""
        if self._waiting is not None:
            self._waiting.rename(self.path)
            self._waiting = None

    def discard(self) -> None:
        """Leave nothing behind where the passwords never came to hold."""
        if self._waiting is not None:
            self._waiting.unlink(missing_ok=True)
