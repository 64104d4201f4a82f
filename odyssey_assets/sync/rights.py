"""Refusing a run whose role may not do what it takes, before anything is read or written.

Belongs here: the refusal. Does not belong here: which rights a run takes (``preflight.rights``).
"""

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import ConfigurationError
from odyssey_assets.preflight.rights import Work, lacking_rights
from odyssey_assets.sync.bookkeeping import UPGRADES, bookkeeping_version
from odyssey_assets.sync.outcome import Request
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.connection import query


def require_rights(connection: Connection, request: Request, catalog: TargetCatalog, *, will_create: bool) -> None:
    """Raise ConfigurationError naming the first right that is lacking, and how many more there are."""
    work = Work.VERIFY if not request.publish else Work.SYNC if request.applies_changes else Work.LOAD
    lacks = lacking_rights(connection, catalog, request.publish, work, will_create=will_create)
    lacks += lacking_rights(connection, catalog, request.verify - request.publish, Work.VERIFY, will_create=will_create)
    if lacks:
        more = f", and more ({len(lacks) - 1})" if len(lacks) > 1 else ""
        raise ConfigurationError(
            f"The PostgreSQL role lacks a right: it {lacks[0].words}{more}.",
            hint=f"Use another role, or let an administrator: {lacks[0].remedy}. Nothing was changed.",
        )
    if request.publish:
        _require_upgradable(connection)


def _require_upgradable(connection: Connection) -> None:
    """Only their owner may bring the tables of ``odyssey_sync`` to a newer version."""
    version = bookkeeping_version(connection)
    if not 0 < version < len(UPGRADES):
        return
    (row,) = query(connection, _OWNS_SQL)
    if not row["owns"]:
        raise ConfigurationError(
            f"The schema odyssey_sync is of version {version} and this program needs {len(UPGRADES)}, but the "
            f"PostgreSQL role does not own its tables.",
            hint="Run odyssey sync once as the role that owns them. Nothing was changed.",
        )


_OWNS_SQL = """
SELECT pg_has_role(c.relowner, 'USAGE') AS owns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'odyssey_sync' AND c.relname = 'version'
"""
