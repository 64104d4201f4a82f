"""The vocabulary the table declarations are written in: Prisma's column types and naming rules for PostgreSQL.

Belongs here: how Prisma names constraints and maps its scalar types. Does not belong here: any one table.
"""

from collections.abc import Iterable
from typing import Literal

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM, TIMESTAMP
from sqlalchemy.sql.elements import quoted_name

from odyssey_assets.model.domains import Domain

metadata = MetaData()
"""The newest schema version (v5); ``versions.schema_of_version`` derives the older ones."""

Versions = frozenset[int]
EVERY_VERSION: Versions = frozenset({1, 2, 3, 4, 5})
FROM_2: Versions = frozenset({2, 3, 4, 5})
IN_2_AND_FROM_4: Versions = frozenset({2, 4, 5})
"""Version 3 lost what version 2 had added, version 4 brought it back."""
FROM_4: Versions = frozenset({4, 5})
ONLY_5: Versions = frozenset({5})

OnDelete = Literal["CASCADE", "SET NULL", "RESTRICT", "NO ACTION"]
SchemaPart = Column[object] | PrimaryKeyConstraint | ForeignKeyConstraint | Index | CheckConstraint


def column(
    name: str,
    type_: object,
    *,
    null: bool = False,
    default: str | None = None,
    versions: Versions = EVERY_VERSION,
    json: bool = False,
) -> Column[object]:
    """One column; ``default`` is PostgreSQL text, ``json`` marks text that holds a JSON document."""
    return Column(
        name,
        type_,  # type: ignore[arg-type]
        nullable=null,
        server_default=None if default is None else text(default),
        info={"versions": versions, "json": json},
    )


def string(
    name: str, *, null: bool = False, default: str | None = None, versions: Versions = EVERY_VERSION
) -> Column[object]:
    return column(name, Text(), null=null, default=None if default is None else f"'{default}'", versions=versions)


def json_text(name: str, *, null: bool = False, default: str | None = None) -> Column[object]:
    """Prisma's SQLite schema has no JSON type: documents are text, and nothing validates them."""
    return column(name, Text(), null=null, default=None if default is None else f"'{default}'", json=True)


def integer(name: str, *, null: bool = False, default: int | None = None) -> Column[object]:
    return column(name, Integer(), null=null, default=None if default is None else str(default))


def double(name: str, *, null: bool = False, default: float | None = None) -> Column[object]:
    return column(name, Double(), null=null, default=None if default is None else str(default))


def boolean(name: str, *, default: bool | None = None, versions: Versions = EVERY_VERSION) -> Column[object]:
    return column(name, Boolean(), default=None if default is None else str(default).lower(), versions=versions)


def moment(name: str, *, null: bool = False, now: bool = False) -> Column[object]:
    """Prisma's DateTime: UTC without a zone, milliseconds."""
    return column(name, TIMESTAMP(precision=3), null=null, default="CURRENT_TIMESTAMP" if now else None)


def choice(
    name: str,
    enum: ENUM,
    *,
    null: bool = False,
    default: str | None = None,
    versions: Versions = EVERY_VERSION,
) -> Column[object]:
    return column(name, enum, null=null, default=None if default is None else f"'{default}'", versions=versions)


def references(
    name: str, table: str, *, on_delete: OnDelete = "CASCADE", versions: Versions = EVERY_VERSION
) -> ForeignKeyConstraint:
    """A foreign key to ``table.id``; Prisma pairs NO ACTION with NO ACTION and all others with CASCADE on update."""
    return ForeignKeyConstraint(
        [name],
        [f"{table}.id"],
        ondelete=on_delete,
        onupdate="NO ACTION" if on_delete == "NO ACTION" else "CASCADE",
        info={"versions": versions},
    )


def unique(*names: str, versions: Versions = EVERY_VERSION) -> Index:
    """Prisma makes unique indexes, not unique constraints."""
    return Index(None, *names, unique=True, info={"versions": versions})


def index(*names: str, versions: Versions = EVERY_VERSION) -> Index:
    return Index(None, *names, info={"versions": versions})


def model(
    name: str,
    *parts: SchemaPart,
    domain: Domain,
    description: str,
    versions: Versions = EVERY_VERSION,
    key: Iterable[str] = ("id",),
) -> Table:
    """One Prisma model. ``key`` is empty where the model has no primary key."""
    key = tuple(key)
    for part in parts:
        if isinstance(part, ForeignKeyConstraint):
            part.name = f"{name}_{'_'.join(part.column_keys)}_fkey"
        elif isinstance(part, Index):
            columns = "_".join(str(expression) for expression in part.expressions)
            part.name = quoted_name(f"{name}_{columns}_{'key' if part.unique else 'idx'}", quote=None)
    key_parts = [PrimaryKeyConstraint(*key, name=f"{name}_pkey")] if key else []
    return Table(
        name,
        metadata,
        *parts,
        *key_parts,
        comment=None,
        info={"versions": versions, "domain": domain, "description": description},
    )


def join_table(name: str, left: str, right: str, *, domain: Domain) -> Table:
    """Prisma's implicit many-to-many table: columns A and B, the referenced models in alphabetical order."""
    foreign_keys = [references("A", left), references("B", right)]
    for foreign_key, column_name in zip(foreign_keys, "AB", strict=True):
        foreign_key.name = f"{name}_{column_name}_fkey"
    return Table(
        name,
        metadata,
        string("A"),
        string("B"),
        PrimaryKeyConstraint("A", "B", name=f"{name}_AB_pkey"),
        *foreign_keys,
        Index(f"{name}_B_index", "B", info={"versions": EVERY_VERSION}),
        info={
            "versions": EVERY_VERSION,
            "domain": domain,
            "description": f"Which {left} rows belong to which {right} rows (Prisma's implicit join table).",
        },
    )
