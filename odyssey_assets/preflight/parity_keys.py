"""Schema parity of keys: how a table's primary key, indexes and foreign keys differ from Prisma's, by name.

Belongs here: comparing one table's keys with the expectation. Does not belong here: columns, the verdict (``parity``).
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from odyssey_assets.findings import Finding, Severity
from odyssey_assets.target.catalog import TargetCatalog, TargetForeignKey, TargetIndex, TargetTable
from odyssey_assets.target.expectation import ExpectedForeignKey, ExpectedIndex, ExpectedTable

Difference = Finding | str
"""A finding, or the sentence of a difference known to be harmless."""

_DEFERRABLE = " DEFERRABLE"
_UNUSUAL_FOREIGN_KEY = re.compile(r"MATCH FULL|DEFERRABLE(?: INITIALLY DEFERRED)?")


def key_differences(expected: ExpectedTable, catalog: TargetCatalog) -> Iterator[Difference]:
    """Compare the keys of one table that both have; keys over columns or parents the target lacks are passed over."""
    found = catalog.tables[expected.name]
    extra = {index.name: index for index in found.indexes if not index.is_primary}
    yield from _primary_key_differences(expected, found, extra)
    yield from _index_differences(expected, found, extra)
    yield from _foreign_key_differences(expected, catalog)


def _primary_key_differences(
    expected: ExpectedTable, found: TargetTable, extra: dict[str, TargetIndex]
) -> Iterator[Difference]:
    wanted = expected.primary_key
    really = next((index for index in found.indexes if index.is_primary), None)
    if wanted is None:
        if really is not None:
            yield _warning(
                "extra_primary_key", found.name, "no primary key", _key_text(really), "it may refuse rows of the source"
            )
        return
    if not _has_columns(found, wanted.columns):
        return
    text = f"{wanted.name} PRIMARY KEY ({', '.join(wanted.columns)})"
    if really is not None:
        if _key_text(really) != text:
            yield _warning(
                "changed_primary_key",
                found.name,
                text,
                _key_text(really),
                "rows may be told apart otherwise, and Prisma's next migration may fail",
            )
        return
    # Earlier versions of Prisma gave join tables a unique index in place of the primary key.
    substitute = _taken_by_shape(extra, ExpectedIndex(wanted.name, wanted.columns, True))
    yield _warning(
        "missing_primary_key",
        found.name,
        text,
        f"the unique index {substitute.name}" if substitute else "none",
        "logical replication and Prisma need one" if substitute else "nothing keeps duplicates and NULLs out",
    )


def _index_differences(
    expected: ExpectedTable, found: TargetTable, extra: dict[str, TargetIndex]
) -> Iterator[Difference]:
    known = {index.name: extra.pop(index.name, None) for index in expected.indexes}
    for wanted in expected.indexes:
        really = known[wanted.name]
        if really is not None:
            yield from _changes_of_index(wanted, really, found.name)
        elif _has_columns(found, wanted.columns):
            yield _missing_index(wanted, _taken_by_shape(extra, wanted), found.name)
    names = {column.name for column in expected.columns}
    for index in extra.values():
        is_restricting = _is_unique(index) or index.constraint is not None
        if is_restricting and not _is_over_unfilled(found, index.columns, names):
            yield _warning(
                "extra_unique_index",
                found.name,
                f"no index {index.name}",
                _index_text(index),
                "it refuses rows that the schema allows",
            )
        else:
            yield f"{found.name} has the index {index.name} besides those of the schema"


def _changes_of_index(wanted: ExpectedIndex, really: TargetIndex, table: str) -> Iterator[Difference]:
    is_deferrable = really.constraint is not None and _DEFERRABLE in really.constraint
    if _shape(really) != _expected_shape(wanted) or is_deferrable:
        yield _warning(
            "changed_index",
            table,
            _expected_text(wanted),
            _index_text(really),
            "uniqueness is another" if wanted.is_unique or _is_unique(really) else "queries may be slower",
        )
    elif not really.is_valid:
        yield _warning(
            "invalid_index",
            table,
            f"{wanted.name} complete",
            "one whose building was broken off",
            f"PostgreSQL does not use it; repair it with REINDEX INDEX {wanted.name}",
        )
    elif really.constraint is not None:
        yield f"{table} has {wanted.name} as a unique constraint instead of a unique index"


def _missing_index(wanted: ExpectedIndex, renamed: TargetIndex | None, table: str) -> Finding:
    text = _expected_text(wanted)
    if renamed is not None:
        follows = "Prisma's next migration of it will not find it"
        return _warning("renamed_index", table, text, f"the same under the name {renamed.name}", follows)
    if wanted.is_unique:
        return _warning("missing_unique_index", table, text, "none", "nothing keeps duplicates out")
    return _warning("missing_index", table, text, "none", "queries of the application will be slower")


def _foreign_key_differences(expected: ExpectedTable, catalog: TargetCatalog) -> Iterator[Difference]:
    """An ERROR is what the check ``foreign_keys`` of a run fails for, a WARNING what it lets pass."""
    found = catalog.tables[expected.name]
    extra = {key.name: key for key in found.foreign_keys}
    known = {key.name: extra.pop(key.name, None) for key in expected.foreign_keys}
    for wanted in expected.foreign_keys:
        really = known[wanted.name]
        if really is None and _has_columns(found, wanted.columns):
            really = next(
                (key for key in extra.values() if _foreign_key_shape(key) == _foreign_key_shape(wanted)), None
            )
            if really is None:
                text = f"{wanted.name}: {_foreign_key_text(wanted)}"
                follows = "nothing keeps orphans out, and deletes do not reach the rows"
                yield _error("missing_foreign_key", found.name, text, "none", follows)
            else:
                del extra[really.name]
                follows = "Prisma's next migration of it will not find it"
                yield _warning("renamed_foreign_key", found.name, wanted.name, really.name, follows)
        if really is not None:
            yield from _changes_of_foreign_key(wanted, really)
    names = {column.name for column in expected.columns}
    for key in extra.values():
        if _is_over_unfilled(found, key.columns, names):
            yield f"{found.name} has the foreign key {key.name} besides those of the schema"
        else:
            text = f"{key.name}: {_foreign_key_text(key)}"
            follows = "it refuses or removes rows that the schema allows"
            yield _warning("extra_foreign_key", found.name, "no such foreign key", text, follows)


def _changes_of_foreign_key(wanted: ExpectedForeignKey, really: TargetForeignKey) -> Iterator[Finding]:
    expected, found = _foreign_key_text(wanted), _foreign_key_text(really)
    if found != expected:
        says = _warning if _foreign_key_shape(really) == _foreign_key_shape(wanted) else _error
        yield says(
            "changed_foreign_key",
            really.table,
            f"{really.name}: {expected}",
            found,
            "deletes and updates of parents do something else than the application counts on",
        )
    if not really.is_validated:
        yield _error(
            "foreign_key_not_validated",
            really.table,
            f"{really.name} validated",
            "NOT VALID",
            f"orphans may stand in the table; find them with VALIDATE CONSTRAINT {really.name}",
        )


def _foreign_key_shape(key: ExpectedForeignKey | TargetForeignKey) -> tuple[object, ...]:
    """What a key does to rows, its moment apart."""
    return key.columns, key.parent, key.parent_columns, key.on_delete, key.on_update


def _error(kind: str, table: str, expected: str, found: str, follows: str) -> Finding:
    return replace(_warning(kind, table, expected, found, follows), severity=Severity.ERROR)


def _warning(kind: str, table: str, expected: str, found: str, follows: str) -> Finding:
    return Finding(Severity.WARNING, kind, table, detail=f"expected {expected}, found {found}; {follows}")


def _has_columns(found: TargetTable, columns: tuple[str, ...]) -> bool:
    return all(found.column(name) is not None for name in columns)


def _is_over_unfilled(found: TargetTable, columns: tuple[str, ...], known: set[str]) -> bool:
    """Whether the key has a column that every row of the source leaves NULL, so that it refuses none of them."""
    unknown = [found.column(name) for name in columns if name not in known]
    return any(column is not None and not column.is_required and column.default is None for column in unknown)


def _taken_by_shape(extra: dict[str, TargetIndex], wanted: ExpectedIndex) -> TargetIndex | None:
    """Take the index that is ``wanted`` under another name out of ``extra``."""
    alike = next((each for each in extra.values() if each.is_valid and _shape(each) == _expected_shape(wanted)), None)
    return None if alike is None else extra.pop(alike.name)


def _is_unique(index: TargetIndex) -> bool:
    # The catalog's is_unique leaves out partial indexes, which refuse rows all the same.
    return index.definition.startswith("CREATE UNIQUE")


def _shape(index: TargetIndex) -> tuple[bool, str]:
    return _is_unique(index), index.definition.split(" USING ", 1)[1].replace('"', "")


def _expected_shape(index: ExpectedIndex) -> tuple[bool, str]:
    return index.is_unique, f"btree ({', '.join(index.columns)})"


def _expected_text(index: ExpectedIndex) -> str:
    return f"{index.name} {'UNIQUE ' * index.is_unique}btree ({', '.join(index.columns)})"


def _index_text(index: TargetIndex) -> str:
    is_unique, columns = _shape(index)
    deferred = " DEFERRABLE" if index.constraint is not None and _DEFERRABLE in index.constraint else ""
    return f"{index.name} {'UNIQUE ' * is_unique}{columns}{deferred}"


def _key_text(index: TargetIndex) -> str:
    return f"{index.name} {index.constraint}".replace('"', "")


def _foreign_key_text(key: ExpectedForeignKey | TargetForeignKey) -> str:
    text = (
        f"({', '.join(key.columns)}) REFERENCES {key.parent} ({', '.join(key.parent_columns)}) "
        f"ON DELETE {key.on_delete} ON UPDATE {key.on_update}"
    )
    if isinstance(key, TargetForeignKey):
        unusual = _UNUSUAL_FOREIGN_KEY.findall(key.definition.rpartition(")")[2])
        return " ".join([text, *unusual])
    return text
