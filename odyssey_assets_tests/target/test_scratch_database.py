"""A database for one piece of work: it is there, it is what it is a copy of, and it goes whatever happens."""

from contextlib import closing

import psycopg2
import pytest

from odyssey_assets.errors import ConfigurationError, UnreachableError
from odyssey_assets.target.scratch_database import scratch_database


def _one(uri, statement):
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def _names(server):
    return _one(
        server.uri_of("postgres"), "SELECT count(*) FROM pg_database WHERE starts_with(datname, 'odyssey_scratch_')"
    )


def test_it_is_empty_and_goes_even_when_the_work_fails(server):
    before = _names(server)
    with pytest.raises(ZeroDivisionError), scratch_database(server.uri_of("postgres")) as uri:
        _fail_after_looking(server, uri, before)
    assert _names(server) == before


def _fail_after_looking(server, uri, before):
    assert _one(uri, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert _names(server) == before + 1
    raise ZeroDivisionError


def test_it_can_be_a_copy_of_another(server):
    with scratch_database(server.uri_of("postgres")) as original:
        with closing(psycopg2.connect(original)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept AS SELECT 42 AS value")
        with scratch_database(server.uri_of("postgres"), copy_of=original) as copy:
            assert _one(copy, "SELECT value FROM kept") == 42


def test_a_server_that_is_not_there_is_told_without_the_password():
    with (
        pytest.raises(UnreachableError, match="cannot be reached") as raised,
        scratch_database("postgresql://u:secret@127.0.0.1:1/x"),
    ):
        pass
    assert "secret" not in raised.value.message


def test_a_role_that_may_not_is_told_what_to_do(server):
    with closing(psycopg2.connect(server.uri_of("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE no_databases LOGIN PASSWORD 'none'")
            try:
                with (
                    pytest.raises(ConfigurationError, match="may not") as raised,
                    scratch_database(f"postgresql://no_databases:none@127.0.0.1:{server.port}/postgres"),
                ):
                    pass
            finally:
                cursor.execute("DROP ROLE no_databases")
    assert "CREATEDB" in raised.value.hint
