"""The driver's databases, kept from connection to connection while the server's types stay what they were.

Opening one reads all of pg_type and pg_attribute, which is 35 of the 40 ms that a connection takes, most of it our own
processor time (measured); a connection of a database that is kept takes 6 ms. Nothing stays open on the server.

Belongs here: a connection as the driver makes it. Does not belong here: patience and refusals (``opening``), or the
transaction (``connection``).
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import adbc_driver_postgresql
from adbc_driver_manager import AdbcConnection
from adbc_driver_manager.dbapi import Connection, _SharedDatabase

DATABASES_KEPT = 4
"""The target, its maintenance database, a scratch database and one to spare; each takes 1 MB of memory (measured)."""


@dataclass(frozen=True)
class _Kept:
    """``types`` is what the server said of its types right after the driver had read them."""

    database: _SharedDatabase
    types: tuple[object, ...]


_kept: OrderedDict[str, _Kept] = OrderedDict()
_lock = threading.Lock()


def driver_connection(uri: str) -> Connection:
    """A new connection. Raises the driver's errors."""
    known = _take(uri)
    if known is not None:
        try:
            connection = _connection_of(known.database)
            if _types_of(connection) == known.types:
                return connection
            connection.close()
        finally:
            known.database.close()
    database = _SharedDatabase(adbc_driver_postgresql.connect(uri))
    try:
        connection = _connection_of(database)
        _keep(uri, _Kept(database.clone(), _types_of(connection)))
    finally:
        database.close()
    return connection


def _take(uri: str) -> _Kept | None:
    """What is kept for a URI, to be closed by whoever took it."""
    with _lock:
        found = _kept.get(uri)
        if found is None:
            return None
        _kept.move_to_end(uri)
        return _Kept(found.database.clone(), found.types)


def _keep(uri: str, known: _Kept) -> None:
    with _lock:
        gone = [_kept.pop(uri)] if uri in _kept else []
        _kept[uri] = known
        if len(_kept) > DATABASES_KEPT:
            gone.append(_kept.popitem(last=False)[1])
    for each in gone:
        each.database.close()


def _connection_of(database: _SharedDatabase) -> Connection:
    return Connection(database, AdbcConnection(database._db))


def _types_of(connection: Connection) -> tuple[object, ...]:
    """Closes the connection where that cannot be told; leaves no transaction open."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_TYPES_SQL)
            (row,) = cursor.fetchall()
        connection.rollback()
    except BaseException:
        connection.close()
        raise
    return tuple(row)


# A server started anew may be another one under the same address; a type made or dropped moves one of the last two.
_TYPES_SQL = """
SELECT pg_postmaster_start_time()::text,
       (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),
       (SELECT max(oid)::bigint FROM pg_type),
       (SELECT count(*) FROM pg_type)
"""
