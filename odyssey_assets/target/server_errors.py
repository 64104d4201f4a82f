"""What PostgreSQL and its driver say when something goes wrong, in this project's words.

Belongs here: SQLSTATEs and sentences. Does not belong here: errors that need more than the server's own words
(whoever raises them).
"""

import re

import adbc_driver_manager

from odyssey_assets.errors import ConfigurationError, IntegrityError, OdysseyError, RefusedError, UnreachableError
from odyssey_assets.target.url import TargetUrl, redact

DRIVER_PREFIX = "IO: [libpq] Failed to connect:"
"""Of errors before there was a connection."""

_FULL = re.compile("too many (clients|connections)|remaining connection slots|no more connections allowed")
"""A server, a database, a role or a pooler whose limit is reached; of a failed login there is no SQLSTATE."""

LOST = ("08", "57", "")
"""Classes of SQLSTATE of a connection that broke; mostly there is none."""

CANCELLED = "57014"
"""Of the same class as a server that goes down, and yet the connection is as good as before."""


def translation(error: adbc_driver_manager.Error, url: TargetUrl) -> OdysseyError:
    """The driver's error as one of ours, without the password."""
    said = _first_line(redact(str(error), url))
    state = error.sqlstate or _state_of_failed_login(said)
    if state == "53300" or _FULL.search(said):
        return UnreachableError(
            f"PostgreSQL at {url.redacted} has no connection free: {said}.",
            hint="End idle sessions, or raise max_connections; odyssey watch shows how many are taken.",
        )
    if state[:2] in LOST and state != CANCELLED:
        return _about_the_connection(said, url, was_open=DRIVER_PREFIX not in str(error))
    return _about_the_statement(said, state, url)


def _about_the_connection(said: str, url: TargetUrl, *, was_open: bool) -> OdysseyError:
    if was_open:
        return UnreachableError(
            f"The connection to PostgreSQL at {url.redacted} was lost: {said}.",
            hint="Nothing was changed; run again, or let the schedule do it.",
        )
    return UnreachableError(
        f"PostgreSQL at {url.redacted} cannot be reached: {said}.",
        hint="Check that it runs, and host, port and database in --postgres or POSTGRES_URL.",
    )


def _about_the_statement(said: str, state: str, url: TargetUrl) -> OdysseyError:
    match state[:2], state:
        case ("28", _):
            return UnreachableError(
                f"PostgreSQL at {url.redacted} turned the login away: {said}.", hint="Check user and password."
            )
        case (_, "3D000"):
            return UnreachableError(
                f"The database does not exist: {url.redacted}.", hint="Create it, or correct the end of the URL."
            )
        case (_, "42501"):
            return ConfigurationError(
                f"The PostgreSQL role lacks a right: {said}.",
                hint="Let it own the tables and grant it CREATE on the schema and on the database.",
            )
        case (_, "23503"):
            return IntegrityError(
                f"PostgreSQL refused a row whose parent row is missing: {said}.",
                hint="Carry the parent table too, or mend the row in SQLite; nothing was changed.",
            )
        case ("23", _):
            return IntegrityError(f"PostgreSQL refused a row: {said}.")
        case (_, "55P03"):
            return RefusedError(
                f"Another session holds a lock that is needed: {said}.",
                hint="See who holds it in pg_locks and pg_stat_activity, then run again; nothing was changed.",
            )
        case (_, "40001" | "40P01"):
            return RefusedError(
                f"Another session changed the same rows at the same time: {said}.",
                hint="Run again; nothing was changed.",
            )
        case (_, "54000"):
            return IntegrityError(
                f"A row is larger than PostgreSQL or one of its indexes takes: {said}.",
                hint="Shorten its text. Where it is too long for a tsvector, odyssey optimise --drop takes the index "
                "off, but a search still fails at that row. Nothing was changed.",
            )
        case (_, "57014"):
            return RefusedError(f"The work was cancelled: {said}.", hint="Run again; nothing was changed.")
        case (_, "53100"):
            return UnreachableError("PostgreSQL has no room left on its disk.", hint="Free space there and run again.")
        case _:
            return IntegrityError(f"PostgreSQL refused ({state}): {said}.")


def _state_of_failed_login(said: str) -> str:
    """The driver gives no SQLSTATE for a connection that never came to be; the server's sentence tells."""
    if said.startswith("database ") and said.endswith("does not exist"):
        return "3D000"
    if "authentication failed" in said or "no password supplied" in said or "pg_hba.conf" in said:
        return "28P01"
    return ""


def _first_line(text: str) -> str:
    """The server's own sentence, without the driver's prefix, the query and the SQLSTATE."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        for mark in ("ERROR:", "FATAL:"):
            if mark in line:
                return line.split(mark, 1)[1].split(". SQLSTATE")[0].strip().rstrip(".")
    first = lines[0] if lines else "no reason given"
    return first.removeprefix(DRIVER_PREFIX).split(". SQLSTATE")[0].strip().rstrip(".")
