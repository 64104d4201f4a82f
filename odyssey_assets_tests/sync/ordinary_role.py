"""Databases whose tables belong to an ordinary role, as an application's do: no superuser, nothing beyond ownership.

Belongs here: making the role and databases of its own. Does not belong here: rows (see ``plain_source``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres

ROLE = "table_owner"
PASSWORD = "ordinary"

OWNED_SQL = """
DO $$
DECLARE each record;
BEGIN
    FOR each IN SELECT c.oid::regclass AS name FROM pg_class c
                WHERE c.relnamespace = '"{schema}"'::regnamespace AND c.relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO {role}', each.name);
    END LOOP;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO {role}', current_database());
END $$;
GRANT USAGE ON SCHEMA "{schema}" TO {role}
"""
"""The tables are the role's; CREATE on the database is for the schema of our own bookkeeping."""


def ensure_ordinary_role(server: EmbeddedServer) -> None:
    """Make the role where it is not there yet; it goes with the server."""
    if not ask_postgres(server.uri_of("postgres"), f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"):
        run_postgres(server.uri_of("postgres"), f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")


@contextmanager
def owned_database(server: EmbeddedServer, *, version: int = 5, schema: str = "public") -> Iterator[str]:
    """The superuser's URI of a database with Prisma's empty tables, which belong to the role."""
    with fresh_database(server) as uri:
        run_postgres(uri, f"{prisma_sql(version, schema=schema)}; {OWNED_SQL.format(schema=schema, role=ROLE)}")
        yield uri


def as_role(uri: str, *, schema: str = "public") -> str:
    """The same database for the role, with Prisma's ``schema`` parameter where it is not the usual one."""
    parts = urlsplit(uri)
    query = f"schema={quote(schema)}" if schema != "public" else parts.query
    return parts._replace(netloc=f"{ROLE}:{PASSWORD}@{parts.hostname}:{parts.port}", query=query).geturl()
