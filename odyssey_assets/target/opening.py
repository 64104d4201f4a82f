"""Opening a connection: how long it may take, when another try is worth it, and why an encrypted line was refused.

Belongs here: everything up to the login. Does not belong here: what an open connection is used for, and the words for
every other error (``connection``).
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import adbc_driver_manager
from adbc_driver_manager.dbapi import Connection
from psycopg2.extensions import parse_dsn
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_exponential

from odyssey_assets.errors import ConfigurationError, OdysseyError, UnreachableError
from odyssey_assets.target.driver import driver_connection
from odyssey_assets.target.url import TargetUrl, redact

CONNECT_SECONDS = 10
"""How long one address may take to answer, where neither the URL nor PGCONNECT_TIMEOUT says; libpq would wait for the
system, which takes two minutes and more."""

TRIES = 5
FIRST_WAIT_SECONDS = 0.2
"""Doubled from try to try: 3 s in all, what a server needs that is being restarted. A longer outage is for whoever
started the run: a schedule comes back by itself."""
NO_TRY_AFTER_SECONDS = 8

APPLICATION_NAME = "odyssey"
"""As pg_stat_activity shows it, where the URL names no other."""

_PASSING = re.compile(
    "the database system is (starting up|not yet accepting connections|in recovery mode)"
    "|too many (clients already|connections for)|remaining connection slots are reserved|no more connections allowed"
    "|Connection refused"
)
"""What ends by itself: a server that starts (57P03), one that is full (53300), a port nobody listens on yet. The driver
gives no SQLSTATE for a login that failed; a server that speaks another language is simply not tried again. A server
that shuts down, a wrong password and a missing database are not among it, for they do not end by themselves."""


def open_connection(url: TargetUrl) -> Connection:
    """A new connection, tried again for a few seconds while the server starts, is full, or does not listen yet.

    Raises UnreachableError or ConfigurationError where encryption was asked for and refused; any other error is the
    driver's own.
    """
    attempts = Retrying(
        retry=retry_if_exception(_is_passing),
        stop=stop_after_attempt(TRIES) | stop_after_delay(NO_TRY_AFTER_SECONDS),
        wait=wait_exponential(multiplier=FIRST_WAIT_SECONDS),
        reraise=True,
    )
    with _refusals_named(url):
        opened: Connection = attempts(driver_connection, with_defaults(url.uri))
    return opened


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, adbc_driver_manager.Error) and _PASSING.search(str(error)) is not None


def with_defaults(uri: str) -> str:
    """The URI with what it should say of connecting and does not."""
    given = parse_dsn(uri)
    defaults = {"fallback_application_name": APPLICATION_NAME}
    if not os.environ.get("PGCONNECT_TIMEOUT"):
        defaults["connect_timeout"] = str(CONNECT_SECONDS)
    added = "&".join(f"{name}={value}" for name, value in defaults.items() if name not in given)
    return f"{uri}{'&' if '?' in uri else '?'}{added}" if added else uri


@contextmanager
def _refusals_named(url: TargetUrl) -> Iterator[None]:
    try:
        yield
    except adbc_driver_manager.Error as error:
        refusal = _refusal(redact(str(error), url), url)
        if refusal is None:
            raise
        raise refusal from error


def _refusal(said: str, url: TargetUrl) -> OdysseyError | None:
    """What an encrypted line failed for; None where that is not the reason."""
    if "certificate verify failed" in said:
        return UnreachableError(
            f"The certificate of PostgreSQL at {url.redacted} is not signed by an authority that is trusted here.",
            hint="Let sslrootcert name the file with the certificate of the server's own authority.",
        )
    if named := re.search(r'server certificate for (.+) does not match host name "(.+?)"', said):
        return UnreachableError(
            f"The certificate of PostgreSQL at {url.redacted} is for {named[1]} and not for the host {named[2]!r}.",
            hint="Connect by the name in the certificate; sslmode=verify-ca does without this comparison.",
        )
    if "server does not support SSL" in said:
        return UnreachableError(
            f"PostgreSQL at {url.redacted} does not offer encryption, and the URL's sslmode asks for it.",
            hint="Turn ssl on at the server; only where the line is private anyway, use sslmode=disable.",
        )
    if missing := re.search(r'root certificate file "(.+)" does not exist', said):
        return ConfigurationError(
            f"There is no file {missing[1]} with the authorities that may sign the certificate of PostgreSQL at "
            f"{url.redacted}.",
            hint="Let sslrootcert name that file, or use sslrootcert=system for the authorities this system trusts.",
        )
    if invalid := re.search(r'invalid sslmode value: "(.*)"', said):
        return ConfigurationError(
            f"The PostgreSQL URL has an sslmode that there is not: {invalid[1]}.",
            hint="It is one of disable, allow, prefer, require, verify-ca and verify-full.",
        )
    return None
