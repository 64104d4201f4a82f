"""The roles a production database has, and what each may do.

Belongs here: names and rights. Does not belong here: the statements that give them (``steps``), or passwords
(``passwords``).
"""

import enum
from dataclasses import dataclass

from odyssey_assets.errors import ConfigurationError

BOOKKEEPING_SCHEMA = "odyssey_sync"
MOST_NAME_BYTES = 63
"""PostgreSQL cuts longer names off, silently."""


class Duty(enum.StrEnum):
    """What a role is there for."""

    OWNER = "owner"
    SYNC = "sync"
    VERIFY = "verify"
    APP = "app"


PURPOSE = {
    Duty.OWNER: "creates the tables: the first odyssey migrate, prisma migrate deploy, upgrades",
    Duty.SYNC: "writes rows and the ledger, changes no table: odyssey sync",
    Duty.VERIFY: "reads, writes nothing: odyssey verify",
    Duty.APP: "the application's own: reads and writes rows, changes no table",
}

VARIABLE = {
    Duty.OWNER: "POSTGRES_URL_OWNER",
    Duty.SYNC: "POSTGRES_URL_SYNC",
    Duty.VERIFY: "POSTGRES_URL_VERIFY",
    Duty.APP: "DATABASE_URL",
}
"""The names under which the URLs are told, as lines of an ``.env`` file."""


@dataclass(frozen=True)
class Rights:
    """What one role is granted. ``on_bookkeeping`` is about the tables of ``odyssey_sync``; empty: no way in."""

    on_database: tuple[str, ...]
    on_schema: tuple[str, ...]
    on_tables: tuple[str, ...]
    on_sequences: tuple[str, ...]
    on_bookkeeping: tuple[str, ...]


_ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_NUMBERS = ("USAGE", "SELECT")

RIGHTS = {
    Duty.OWNER: Rights(("CONNECT", "CREATE", "TEMPORARY"), ("USAGE", "CREATE"), _ROWS, _NUMBERS, _ROWS),
    Duty.SYNC: Rights(("CONNECT", "TEMPORARY"), ("USAGE",), _ROWS, _NUMBERS, _ROWS),
    Duty.VERIFY: Rights(("CONNECT",), ("USAGE",), ("SELECT",), (), ("SELECT",)),
    Duty.APP: Rights(("CONNECT",), ("USAGE",), _ROWS, _NUMBERS, ()),
}
"""TEMPORARY is for the differences a re-sync stages."""


@dataclass(frozen=True)
class Plan:
    """One database, its schema, and its roles by duty."""

    database: str
    schema: str
    roles: dict[Duty, str]


def plan_for(database: str, schema: str, prefix: str, *, with_application: bool) -> Plan:
    """The plan for a database. Raises ConfigurationError for a name PostgreSQL would not keep as it is."""
    duties = [duty for duty in Duty if duty is not Duty.APP or with_application]
    plan = Plan(database, schema, {duty: f"{prefix or database}_{duty}" for duty in duties})
    for name in (database, schema, *plan.roles.values()):
        if not name or "\x00" in name or len(name.encode()) > MOST_NAME_BYTES:
            raise ConfigurationError(
                f"PostgreSQL takes names of 1 to {MOST_NAME_BYTES} bytes, which {name!r} is not.",
                hint="Choose another --database, --schema or --role-prefix.",
            )
        if name.startswith("pg_"):
            raise ConfigurationError(f"PostgreSQL keeps names that begin with pg_ to itself: {name}.")
    return plan
