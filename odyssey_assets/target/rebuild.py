"""Taking keys and indexes off empty tables and putting them back, identical by name and definition.

Belongs here: dropping and rebuilding around a load. Does not belong here: deciding for which tables it pays.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.catalog import TargetCatalog, TargetForeignKey, TargetIndex, TargetTable
from odyssey_assets.target.connection import execute


@dataclass(frozen=True)
class TakenOff:
    """What was dropped and must come back before the commit; foreign keys of other tables may be among it."""

    indexes: tuple[tuple[str, TargetIndex], ...]
    foreign_keys: tuple[TargetForeignKey, ...]

    def indexes_of(self, table: str) -> "TakenOff":
        """The indexes and the primary key of one table, which can come back as soon as it has its rows."""
        return TakenOff(tuple(entry for entry in self.indexes if entry[0] == table), ())

    def keys_between_tables(self) -> "TakenOff":
        """The foreign keys, which can come back once every table has its rows and its primary key."""
        return TakenOff((), self.foreign_keys)


def take_off(connection: Connection, catalog: TargetCatalog, tables: frozenset[str]) -> TakenOff:
    """Drop every index, primary key and foreign key of ``tables``, and the foreign keys that refer to them."""
    foreign_keys = tuple(
        key
        for table in catalog.tables.values()
        for key in table.foreign_keys
        if key.table in tables or key.parent in tables
    )
    indexes = tuple((name, index) for name in sorted(tables) for index in catalog.tables[name].indexes)
    # Foreign keys first, for others may lean on the primary keys; all of a table in one statement each.
    _drop_constraints(connection, catalog, [(key.table, key.name) for key in foreign_keys])
    _drop_constraints(connection, catalog, [(table, each.name) for table, each in indexes if each.constraint])
    if plain := [f"{quoted(catalog.schema)}.{quoted(each.name)}" for _, each in indexes if not each.constraint]:
        execute(connection, f"DROP INDEX {', '.join(plain)}")
    return TakenOff(indexes, foreign_keys)


def _drop_constraints(connection: Connection, catalog: TargetCatalog, constraints: list[tuple[str, str]]) -> None:
    for table in sorted({table for table, _ in constraints}):
        drops = ", ".join(f"DROP CONSTRAINT {quoted(name)}" for owner, name in constraints if owner == table)
        execute(connection, f"ALTER TABLE {_table(catalog, table)} {drops}")


def put_back(connection: Connection, catalog: TargetCatalog, taken: TakenOff, on_index: Callable[[str], None]) -> None:
    """Rebuild what was taken off: indexes and primary keys first, then foreign keys, which validates every row."""
    for table, index in taken.indexes:
        on_index(table)
        if index.constraint is not None:
            execute(
                connection,
                f"ALTER TABLE {_table(catalog, table)} ADD CONSTRAINT {quoted(index.name)} {index.constraint}",
            )
        else:
            execute(connection, index.definition)
    for key in taken.foreign_keys:
        on_index(key.table)
        execute(
            connection, f"ALTER TABLE {_table(catalog, key.table)} ADD CONSTRAINT {quoted(key.name)} {key.definition}"
        )


def require_same(before: TargetCatalog, after: TargetCatalog) -> None:
    """Raise IntegrityError unless keys and indexes are, by name and definition, what they were before."""
    for name, table in before.tables.items():
        found = after.tables.get(name)
        other = _keys_and_indexes(table) ^ (frozenset() if found is None else _keys_and_indexes(found))
        if other:
            names = ", ".join(sorted({each.name for each in other}))
            raise IntegrityError(
                f"The keys and indexes of {name} are not what they were before the load: {names}.",
                hint="Nothing was committed; another session may be changing the schema.",
                table=name,
            )


def _keys_and_indexes(table: TargetTable) -> frozenset[TargetIndex | TargetForeignKey]:
    # An index that a broken CREATE INDEX CONCURRENTLY left behind is valid once it was built again.
    return frozenset((*(replace(index, is_valid=True) for index in table.indexes), *table.foreign_keys))


def _table(catalog: TargetCatalog, name: str) -> str:
    return f"{quoted(catalog.schema)}.{quoted(name)}"
