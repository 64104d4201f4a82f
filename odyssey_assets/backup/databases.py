"""Databases made for a restore: created beside the others, put in another's place, dropped.

Belongs here: statements about whole databases, which no transaction of the engine can hold. Does not belong here: what
is restored into them (``postgresql``, ``drill``).
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from odyssey_assets.errors import ConfigurationError, RefusedError, UnreachableError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.url import TargetUrl, redact, url_of_database

SCRATCH_PREFIX = "odyssey_drill_"
_MAINTENANCE = ("postgres", "template1")
_NAME_BYTES = 63


def database_of(url: TargetUrl) -> str:
    """The database a URL names; libpq's default where it names none."""
    parameters = psycopg2.extensions.parse_dsn(url.uri)
    return str(parameters.get("dbname") or parameters.get("user") or "")


def maintenance_url(url: TargetUrl) -> TargetUrl:
    """Another database of the same server, to speak of this one from."""
    return url_of_database(url, next(name for name in _MAINTENANCE if name != database_of(url)))


@contextmanager
def administering(url: TargetUrl) -> Iterator[psycopg2.extensions.connection]:
    """A connection outside any transaction, its errors in this project's words."""
    try:
        with closing(psycopg2.connect(url.uri)) as connection:
            connection.autocommit = True
            yield connection
    except psycopg2.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"The PostgreSQL role may not do this: {_sentence(error, url)}.",
            hint="Restoring beside needs CREATEDB (ALTER ROLE ... CREATEDB); a drill can be made elsewhere with "
            "--scratch-url.",
        ) from error
    except psycopg2.errors.ObjectInUse as error:
        raise RefusedError(
            f"Somebody is connected to the database: {_sentence(error, url)}.",
            hint="Stop the application, then run again; nothing was changed.",
        ) from error
    except psycopg2.errors.DiskFull as error:
        raise UnreachableError("PostgreSQL has no room left on its disk.", hint="Free space there.") from error
    except psycopg2.Error as error:
        raise UnreachableError(f"PostgreSQL at {url.redacted} refused: {_sentence(error, url)}.") from error


@contextmanager
def scratch_database(admin: TargetUrl) -> Iterator[TargetUrl]:
    """An empty database on ``admin``'s server, gone at the end; those of killed drills go first.

    Raises ConfigurationError where the role may not create one.
    """
    name = SCRATCH_PREFIX + secrets.token_hex(6)
    with administering(admin) as connection, connection.cursor() as cursor:
        _drop_leftovers(connection)
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        create_database(connection, name)
        try:
            yield url_of_database(admin, name)
        finally:
            cursor.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")


def create_database(connection: psycopg2.extensions.connection, name: str) -> None:
    """An empty one, from template0: nobody is connected to that, and nothing was added to it."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE template0 ENCODING 'UTF8'")


def put_in_place(connection: psycopg2.extensions.connection, new: str, name: str, kept: str) -> None:
    """Rename ``name`` to ``kept`` and ``new`` to ``name``, both or neither.

    Raises RefusedError, through ``administering``, while anybody is connected to either.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [name])
        (owner,) = cursor.fetchone()
        cursor.execute("BEGIN")
        try:
            cursor.execute(f"ALTER DATABASE {quoted(name)} RENAME TO {quoted(kept)}")
            cursor.execute(f"ALTER DATABASE {quoted(new)} RENAME TO {quoted(name)}")
            cursor.execute(f"ALTER DATABASE {quoted(name)} OWNER TO {quoted(owner)}")
            cursor.execute("COMMIT")
        except BaseException:
            with suppress(psycopg2.Error):
                cursor.execute("ROLLBACK")
            raise


def name_beside(name: str, suffix: str) -> str:
    """``name`` with something after it, within what PostgreSQL keeps of a name."""
    return name.encode()[: _NAME_BYTES - len(suffix)].decode(errors="ignore") + suffix


def sessions_on(connection: psycopg2.extensions.connection, name: str) -> list[str]:
    """Who is connected to a database, as far as this role may see."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(nullif(application_name, ''), 'no application name') || ' (pid ' || pid || ', ' || "
            "coalesce(usename, 'unknown') || ')' FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid() "
            "ORDER BY pid",
            [name],
        )
        return [str(told) for (told,) in cursor.fetchall()]


def _drop_leftovers(connection: psycopg2.extensions.connection) -> None:
    """Scratch databases whose drill is over: nobody holds their lock, nor is connected to them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.datname FROM pg_database d WHERE starts_with(d.datname, %s) "
            "AND pg_has_role(d.datdba, 'USAGE') AND NOT EXISTS "
            "(SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1 "
            "AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended(d.datname, 0))",
            [SCRATCH_PREFIX],
        )
        for (name,) in cursor.fetchall():
            with suppress(psycopg2.errors.ObjectInUse, psycopg2.errors.InvalidCatalogName):
                cursor.execute(f"DROP DATABASE {quoted(name)}")


def _sentence(error: psycopg2.Error, url: TargetUrl) -> str:
    text = (error.diag.message_primary or str(error)).strip()
    return redact(re.sub(r"\s+", " ", text), url).rstrip(".")
