"""What the role of this session may not do and a run must: said before the server says it, with the GRANT that helps.

Belongs here: which rights a run takes. Does not belong here: what is made of a lack (``readiness`` makes a finding,
``sync`` refuses), or who is to have which right (``provision``).
"""

import enum
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import query
from odyssey_assets.target.server_state import TABLE_RIGHTS, SchemaRights, read_schema_rights, read_table_states

BOOKKEEPING_SCHEMA = "odyssey_sync"
"""Ours in the target; made by the first run."""

_LEDGER = ("quarantine", "publication", "published_table")
_VERSION = "version"
_TABLES_NAMED = 5


class Work(enum.Enum):
    """What a run does; each takes the rights of the one before it."""

    VERIFY = enum.auto()
    LOAD = enum.auto()
    SYNC = enum.auto()


_ON_TABLES = {Work.VERIFY: ("SELECT",), Work.LOAD: ("SELECT", "INSERT"), Work.SYNC: TABLE_RIGHTS}


@dataclass(frozen=True)
class Lack:
    """``words`` complete a sentence that begins with the role; ``count`` is the number of tables it is about."""

    words: str
    remedy: str
    count: int = 1


@dataclass(frozen=True)
class _Session:
    role: str
    database: str
    may_create_schemas: bool
    may_make_temporary_tables: bool


def lacking_rights(
    connection: Connection, catalog: TargetCatalog, tables: Collection[str], work: Work, *, will_create: bool
) -> tuple[Lack, ...]:
    """Every right that is lacking. ``tables`` are those of the run; ``will_create`` says they are still to be made."""
    (row,) = query(connection, _SESSION_SQL)
    session = _Session(**row)  # type: ignore[arg-type]
    found = list(_lacks_of_schemas(connection, session, catalog, work, will_create=will_create))
    if work is Work.SYNC and not session.may_make_temporary_tables:
        found.append(
            Lack(
                f"may not make temporary tables in the database {session.database}",
                f"GRANT TEMPORARY ON DATABASE {quoted(session.database)} TO {quoted(session.role)}",
            )
        )
    found += _lacks_of_tables(connection, session, catalog.schema, tables, _ON_TABLES[work])
    if work is not Work.VERIFY:
        found += _lacks_of_tables(connection, session, BOOKKEEPING_SCHEMA, (_VERSION,), ("SELECT",))
        found += _lacks_of_tables(connection, session, BOOKKEEPING_SCHEMA, _LEDGER, ("SELECT", "INSERT"))
    return tuple(found)


def _lacks_of_schemas(
    connection: Connection, session: _Session, catalog: TargetCatalog, work: Work, *, will_create: bool
) -> Iterator[Lack]:
    wanted = set() if work is Work.VERIFY else {BOOKKEEPING_SCHEMA}
    if will_create or catalog.tables:
        wanted.add(catalog.schema)
    rights = {schema: read_schema_rights(connection, schema) for schema in sorted(wanted)}
    missing = [schema for schema, found in rights.items() if found is None]
    if missing and not session.may_create_schemas:
        yield Lack(
            f"may not create the schema {' and the schema '.join(missing)}",
            f"GRANT CREATE ON DATABASE {quoted(session.database)} TO {quoted(session.role)}",
        )
    for schema, found in rights.items():
        if found is not None and not found.may_use:
            yield Lack(
                f"may not use the schema {schema}",
                f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(session.role)}",
            )
    yield from _lacks_where_tables_are_to_come(connection, session, rights, catalog.schema if will_create else None)


def _lacks_where_tables_are_to_come(
    connection: Connection, session: _Session, rights: Mapping[str, SchemaRights | None], to_fill: str | None
) -> Iterator[Lack]:
    """Of schemas that are there, and whose tables are not."""
    empty = [to_fill] if to_fill else []
    if rights.get(BOOKKEEPING_SCHEMA) and not read_table_states(connection, BOOKKEEPING_SCHEMA, (_VERSION,)):
        empty.append(BOOKKEEPING_SCHEMA)
    for schema in empty:
        found = rights.get(schema)
        if found is not None and not found.may_create:
            yield Lack(
                f"may not create tables in the schema {schema}",
                f"GRANT CREATE ON SCHEMA {quoted(schema)} TO {quoted(session.role)}",
            )


def _lacks_of_tables(
    connection: Connection, session: _Session, schema: str, tables: Collection[str], rights: Collection[str]
) -> Iterator[Lack]:
    states = read_table_states(connection, schema, tables)
    for right in rights:
        lacking = [each.name for each in states if right in each.missing_rights]
        if lacking:
            more = f" and {len(lacking) - _TABLES_NAMED} more" if len(lacking) > _TABLES_NAMED else ""
            where = f"{schema}." if schema == BOOKKEEPING_SCHEMA else ""
            yield Lack(
                f"lacks {right} on {', '.join(where + name for name in lacking[:_TABLES_NAMED])}{more}",
                f"let it own the tables, or GRANT {right} ON them TO {quoted(session.role)}",
                len(lacking),
            )


_SESSION_SQL = """
SELECT current_user::text AS role,
       current_database()::text AS database,
       has_database_privilege(current_database(), 'CREATE') AS may_create_schemas,
       has_database_privilege(current_database(), 'TEMPORARY') AS may_make_temporary_tables
"""
