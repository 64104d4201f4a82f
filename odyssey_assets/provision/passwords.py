"""Passwords of the roles: made here or read from files, and never sent to a server as they are.

Belongs here: making, reading, turning into what the server keeps. Does not belong here: who gets one (``apply``).
"""

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2.extensions import encrypt_password

from odyssey_assets.errors import ConfigurationError
from odyssey_assets.provision.roles import Duty

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

RANDOM_BYTES = 24
SHORTEST_CHARACTERS = 12
"""A password someone chose may be shorter than ours, but not so short that it can be tried out."""


def new_password() -> str:
    return secrets.token_urlsafe(RANDOM_BYTES)


def passwords_from_files(given: Iterable[str]) -> dict[Duty, str]:
    """``DUTY=FILE`` texts as passwords. Raises ConfigurationError, which never repeats a password."""
    found: dict[Duty, str] = {}
    for text in given:
        duty, _, file = text.partition("=")
        if duty not in {each.value for each in Duty} or not file:
            raise ConfigurationError(
                f"--password-file takes DUTY=FILE, not {text!r}.", hint=f"A duty is one of {', '.join(Duty)}."
            )
        found[Duty(duty)] = _read(Path(file))
    return found


def _read(path: Path) -> str:
    try:
        password = path.expanduser().read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ConfigurationError(f"The password file {path} cannot be read: {reason}.") from None
    if len(password) < SHORTEST_CHARACTERS or not password.isprintable():
        raise ConfigurationError(
            f"The password file {path} must hold one line of {SHORTEST_CHARACTERS} or more printable characters."
        )
    return password


def verifier(password: str, role: str, connection: "Connection") -> str:
    """What the server keeps of a password and can check it with, but not log in by; so its log may hold it."""
    made: str = encrypt_password(password, role, scope=connection, algorithm="scram-sha-256")
    return made
