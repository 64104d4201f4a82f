"""Connections that share what the driver knows of a server's types: quick, never stale, and nothing left behind."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import adbc_driver_manager
import psycopg
import pytest

from odyssey_assets.target import driver
from odyssey_assets.target.driver import DATABASES_KEPT, driver_connection
from odyssey_assets_tests.statements import ask_postgres, run_postgres


@pytest.fixture
def opened(monkeypatch):
    """The URIs whose types were read."""
    uris = []
    read_types = driver.adbc_driver_postgresql.connect

    def watched(uri):
        uris.append(uri)
        return read_types(uri)

    monkeypatch.setattr(driver.adbc_driver_postgresql, "connect", watched)
    return uris


def _value(uri, sql):
    with closing(driver_connection(uri)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        ((value,),) = cursor.fetchall()
    return value


def test_types_are_read_once(database_uri, opened):
    assert [_value(database_uri, "SELECT 42") for _ in range(3)] == [42, 42, 42]
    assert opened == [database_uri]


def test_a_type_made_since_is_known(database_uri, opened):
    assert _value(database_uri, "SELECT 1") == 1
    run_postgres(database_uri, "CREATE TYPE mood AS ENUM ('glad', 'sad')")
    assert _value(database_uri, "SELECT 'glad'::mood") == "glad"
    run_postgres(database_uri, "DROP TYPE mood")
    run_postgres(database_uri, "CREATE DOMAIN mood AS int")
    assert _value(database_uri, "SELECT 7::mood") == 7
    assert opened == [database_uri] * 3


def test_another_database_of_the_same_name_is_another_one(server, database_uri, opened):
    name = urlsplit(database_uri).path.strip("/")
    run_postgres(database_uri, "CREATE TYPE mood AS ENUM ('glad')")
    assert _value(database_uri, "SELECT 'glad'::mood") == "glad"
    with psycopg.connect(server.uri_of("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    assert _value(database_uri, "SELECT 1") == 1
    assert opened == [database_uri] * 2


def test_nothing_stays_open_and_nothing_is_seen_yet(database_uri):
    for _ in range(2):
        with closing(driver_connection(database_uri)):
            assert _snapshots_held(database_uri) == [(None,)]
        ends = time.monotonic() + 10
        while _snapshots_held(database_uri) and time.monotonic() < ends:
            time.sleep(0.01)
        assert _snapshots_held(database_uri) == []


def _snapshots_held(uri):
    """What each other session of the database has seen, NULL where that is nothing yet."""
    return ask_postgres(
        uri,
        "SELECT backend_xmin FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    )


def test_only_the_last_few_are_kept_and_connections_outlive_them(database_uri, opened):
    many = [f"{database_uri}&application_name=reader{number}" for number in range(DATABASES_KEPT + 1)]
    with closing(driver_connection(many[0])) as first:
        for uri in many[1:]:
            assert _value(uri, "SELECT 1") == 1
        with first.cursor() as cursor:
            cursor.execute("SELECT 2")
            assert cursor.fetchall() == [(2,)]
    assert _value(many[1], "SELECT 1") == 1
    assert opened == many
    assert _value(many[0], "SELECT 1") == 1
    assert opened == [*many, many[0]]


def test_threads_may_open_and_evict_at_once(database_uri):
    uris = [f"{database_uri}&application_name=reader{number}" for number in range(DATABASES_KEPT + 3)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        assert set(pool.map(lambda number: _value(uris[number % len(uris)], "SELECT 1"), range(80))) == {1}


def test_a_failure_is_the_drivers_own_also_where_the_types_are_known(database_uri):
    parts = urlsplit(database_uri)
    role = f"limited_{parts.path.strip('/')}"
    run_postgres(database_uri, f"CREATE ROLE {role} LOGIN PASSWORD 'x' CONNECTION LIMIT 1")
    try:
        uri = parts._replace(netloc=f"{role}:x@{parts.hostname}:{parts.port}").geturl()
        with (
            closing(driver_connection(uri)),
            pytest.raises(adbc_driver_manager.Error, match="too many connections for role"),
        ):
            driver_connection(uri)
        assert _value(uri, "SELECT 1") == 1
    finally:
        run_postgres(database_uri, f"DROP ROLE {role}")
