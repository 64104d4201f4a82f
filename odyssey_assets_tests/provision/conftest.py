"""Provisioning in a test: the command typed, a database and roles of the test's own, everything dropped at the end.

Belongs here: names, running the command, cleaning up, URLs by duty. Does not belong here: expectations.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql

from odyssey_assets.cli import cli
from odyssey_assets.provision.roles import VARIABLE, Duty
from odyssey_assets.target.embedded import EmbeddedServer


@dataclass(frozen=True)
class Place:
    """A database that is not there yet, on a server, and who may make it."""

    server: EmbeddedServer
    admin: str
    database: str

    def provision(self, *arguments: str | Path) -> Result:
        given = ["provision", "--admin-url", self.admin, "--database", self.database, *map(str, arguments)]
        return CliRunner().invoke(cli, given)

    def urls(self, *arguments: str | Path) -> dict[Duty, str]:
        """Provision, which must succeed, and the URLs as they stand on stdout."""
        result = self.provision(*arguments)
        assert result.exit_code == 0, result.output
        lines = dict(line.split("=", 1) for line in result.stdout.splitlines() if not line.startswith("#"))
        return {duty: lines[VARIABLE[duty]].strip('"') for duty in Duty if VARIABLE[duty] in lines}

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.server.uri_of(self.database)) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload,no-any-return]

    def state(self) -> list[tuple[object, ...]]:
        """Roles with what is kept of their passwords, and every right granted here."""
        return self.ask(f"""
            SELECT rolname, rolpassword, rolsuper, rolcreatedb, rolcreaterole FROM pg_authid
            WHERE rolname LIKE '{self.database}%' ORDER BY 1""") + self.ask("""
            SELECT d.datacl::text FROM pg_database d WHERE d.datname = current_database()
            UNION ALL (SELECT nspname || nspacl::text FROM pg_namespace WHERE nspacl IS NOT NULL ORDER BY 1)
            UNION ALL (SELECT relname || relacl::text FROM pg_class WHERE relacl IS NOT NULL ORDER BY 1)
            UNION ALL (SELECT defaclnamespace || defaclobjtype::text || defaclacl::text FROM pg_default_acl ORDER BY 1)
            """)


@contextmanager
def made_place(server: EmbeddedServer, admin: str | None = None) -> Iterator[Place]:
    place = Place(server, admin or server.uri_of("postgres"), f"prov_{uuid.uuid4().hex[:8]}")
    try:
        yield place
    finally:
        with psycopg.connect(server.uri_of("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(place.database))
            )
            for duty in Duty:
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{place.database}_{duty}")))


@pytest.fixture
def place(server: EmbeddedServer) -> Iterator[Place]:
    with made_place(server) as made:
        yield made


@pytest.fixture
def every_place(every_server: EmbeddedServer) -> Iterator[Place]:
    with made_place(every_server) as made:
        yield made


@pytest.fixture
def place_of_a_plain_administrator(every_server: EmbeddedServer) -> Iterator[Place]:
    """As managed services have it: the administrator may make databases and roles and is no superuser."""
    name = f"dba_{uuid.uuid4().hex[:8]}"
    parts = urlsplit(every_server.uri_of("postgres"))
    with psycopg.connect(parts.geturl(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN CREATEDB CREATEROLE PASSWORD 'plain'")  # type: ignore[call-overload]
        try:
            admin = parts._replace(netloc=f"{name}:plain@{parts.hostname}:{parts.port}").geturl()
            with made_place(every_server, admin) as made:
                yield made
        finally:
            connection.execute(f"DROP ROLE {name}")  # type: ignore[call-overload]


def password_of(url: str) -> str:
    password = urlsplit(url).password
    assert password
    return password
