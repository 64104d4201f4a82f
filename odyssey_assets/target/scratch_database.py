"""A database made for one piece of work and dropped after it, beside another one on the same server.

Belongs here: making and removing it. Does not belong here: what is done in it, or restoring backups, which has to live
with what a killed restore left behind (``backup.databases``).
"""

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import psycopg2

from odyssey_assets.errors import ConfigurationError, UnreachableError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.url import parse_target_url, redact


@contextmanager
def scratch_database(admin_uri: str, copy_of: str | None = None) -> Iterator[str]:
    """The URI of a new database beside the one of ``admin_uri``: empty, or a copy of another; dropped at the end.

    Raises UnreachableError where the server cannot be reached, ConfigurationError where no database may be made.
    """
    name = f"odyssey_scratch_{uuid.uuid4().hex[:12]}"
    url = parse_target_url(admin_uri)
    try:
        connection = psycopg2.connect(url.uri)
    except psycopg2.OperationalError as error:
        said = redact(str(error), url).strip()
        raise UnreachableError(f"PostgreSQL at {url.redacted} cannot be reached: {said}.") from None
    template = "template0" if copy_of is None else urlsplit(copy_of).path.strip("/")
    with closing(connection):
        connection.autocommit = True
        with connection.cursor() as cursor:
            try:
                cursor.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(template)}")
            except psycopg2.errors.InsufficientPrivilege as error:
                raise ConfigurationError(
                    f"This makes databases of its own, and the role may not: {error}.".strip(),
                    hint="Name a role with CREATEDB, or leave --postgres out to use the embedded server.",
                ) from error
            try:
                yield urlsplit(url.uri)._replace(path=f"/{name}").geturl()
            finally:
                cursor.execute(f"DROP DATABASE {quoted(name)} WITH (FORCE)")
