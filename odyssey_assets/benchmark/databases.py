"""Databases made for one run and dropped after it, and the folder the server writes its COPY files to.

Belongs here: making and removing them. Does not belong here: what is done in them.
"""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from odyssey_assets.errors import ConfigurationError, UnreachableError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.url import parse_target_url, redact


@contextmanager
def scratch_database(admin_uri: str) -> Iterator[str]:
    """The URI of a new, empty database beside the one of ``admin_uri``.

    Raises UnreachableError where the server cannot be reached, ConfigurationError where no database may be made.
    """
    name = f"odyssey_benchmark_{uuid.uuid4().hex[:12]}"
    url = parse_target_url(admin_uri)
    try:
        connection = psycopg2.connect(url.uri)
    except psycopg2.OperationalError as error:
        said = redact(str(error), url).strip()
        raise UnreachableError(f"PostgreSQL at {url.redacted} cannot be reached: {said}.") from None
    with closing(connection):
        connection.autocommit = True
        with connection.cursor() as cursor:
            try:
                cursor.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE template0")
            except psycopg2.errors.InsufficientPrivilege as error:
                raise ConfigurationError(
                    f"The benchmark makes databases of its own, and the role may not: {error}.".strip(),
                    hint="Name a role with CREATEDB, or leave --postgres out to use the embedded server.",
                ) from error
            try:
                yield _uri_of(url.uri, name)
            finally:
                cursor.execute(f"DROP DATABASE {quoted(name)} WITH (FORCE)")


@contextmanager
def copy_folder() -> Iterator[Path]:
    """A folder that a server on this machine can write to under whichever account; others cannot list it."""
    folder = Path(tempfile.mkdtemp(prefix="odyssey-benchmark-"))
    folder.chmod(0o1733)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _uri_of(uri: str, database: str) -> str:
    before, mark, query = uri.partition("?")
    scheme, _, rest = before.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{database}{mark}{query}"
