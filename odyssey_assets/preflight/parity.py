"""Schema parity: how the target's enums, tables and columns differ from what Prisma would have made.

Belongs here: enums, tables, columns, and the whole verdict. Does not belong here: keys and indexes (``parity_keys``),
or what cannot be carried at all: missing tables and columns, types that cannot hold the values (``compare.pairing``).
"""

from collections.abc import Iterator

from odyssey_assets.findings import Finding, Severity
from odyssey_assets.model.kinds import Kind
from odyssey_assets.model.schema import PRISMA_BOOKKEEPING
from odyssey_assets.preflight.parity_keys import Difference, key_differences
from odyssey_assets.target.catalog import TargetCatalog, TargetColumn, TargetTable
from odyssey_assets.target.expectation import ExpectedColumn, ExpectedTable, expected_schema, is_same_default
from odyssey_assets.target.types import can_carry


def parity_findings(catalog: TargetCatalog, version: int) -> tuple[Finding, ...]:
    """Every difference between the target and Prisma's schema of ``version`` that someone should know of.

    An ERROR fails a run, a WARNING is anything else. Tables and columns the target lacks are not reported, nor are keys
    and indexes over such columns.
    """
    return tuple(each for each in _differences(catalog, version) if isinstance(each, Finding))


def harmless_differences(catalog: TargetCatalog, version: int) -> tuple[str, ...]:
    """The differences that change neither values nor integrity, one sentence each."""
    return tuple(each for each in _differences(catalog, version) if isinstance(each, str))


def _differences(catalog: TargetCatalog, version: int) -> Iterator[Difference]:
    expected = expected_schema(version)
    for name, labels in sorted(expected.enums.items()):
        if name in catalog.enums and catalog.enums[name] != labels:
            yield _changed_enum(name, labels, catalog.enums[name])
    for name in sorted(catalog.enums.keys() - expected.enums.keys()):
        yield f"PostgreSQL has the enum {name} besides those of the schema"
    for name in sorted(catalog.tables.keys() - expected.tables.keys() - {PRISMA_BOOKKEEPING}):
        yield f"PostgreSQL has the table {name} besides those of the schema; it is left alone"
    for name in sorted(expected.tables.keys() & catalog.tables.keys()):
        yield from _column_differences(expected.tables[name], catalog.tables[name])
        yield from key_differences(expected.tables[name], catalog)


def _changed_enum(name: str, expected: tuple[str, ...], found: tuple[str, ...]) -> Finding:
    missing, extra = [each for each in expected if each not in found], [each for each in found if each not in expected]
    follows = []
    if missing:
        follows.append(f"rows with {_listed(missing)} are refused")
    if extra:
        follows.append(f"the application cannot read {_listed(extra)}")
    return Finding(
        Severity.WARNING,
        "changed_enum",
        detail=f"the enum {name}: expected the labels {_listed(expected)}, found {_listed(found)}; "
        + (" and ".join(follows) or "the values sort otherwise"),
    )


def _column_differences(expected: ExpectedTable, found: TargetTable) -> Iterator[Difference]:
    known = [column.name for column in expected.columns]
    in_expected_order = [name for name in known if found.column(name) is not None]
    if in_expected_order != [column.name for column in found.columns if column.name in known]:
        yield f"{expected.name} has its columns in another order; rows are carried by name"
    for column in found.columns:
        # A required one without default is the pairing's: it cannot be filled.
        if column.name not in known and (not column.is_required or column.default is not None):
            filled_with = "NULL" if column.default is None else column.default
            yield f"{expected.name}.{column.name} is not in the schema; rows get {filled_with}"
    for wanted in expected.columns:
        column_found = found.column(wanted.name)
        if column_found is not None:
            yield from _type_differences(expected.name, wanted, column_found)
            yield from _nullability_differences(expected.name, wanted, column_found)
            yield from _default_differences(expected.name, wanted, column_found)


def _type_differences(table: str, expected: ExpectedColumn, found: TargetColumn) -> Iterator[Difference]:
    is_enum = bool(found.labels)
    found_text = found.type_name if is_enum else found.type_text
    if found_text == expected.type_text:
        return
    if not can_carry(expected.kind, found.type_name, found.type_text, is_enum=is_enum):
        return
    severity, follows = _verdict_on_type(expected.kind, found)
    if severity is None:
        yield f"{table}.{expected.name} is {found_text} instead of {expected.type_text}; {follows}"
    else:
        detail = f"expected the type {expected.type_text}, found {found_text}; {follows}"
        yield Finding(severity, "changed_type", table, expected.name, detail=detail)


def _verdict_on_type(kind: Kind, found: TargetColumn) -> tuple[Severity | None, str]:
    """How much another type that can carry the kind matters, and what follows from it."""
    match kind, found.type_name:
        case Kind.ENUM, _ if not found.labels:
            return Severity.WARNING, "PostgreSQL takes any text there, and values sort otherwise"
        case Kind.ENUM, _:
            return Severity.WARNING, "labels and order are those of another type"
        case Kind.INTEGER, "smallint":
            return Severity.WARNING, "numbers beyond 32,767 are refused"
        case Kind.TEXT | Kind.JSON, "character varying" if found.type_text != found.type_name:
            return Severity.WARNING, "longer text is refused"
        case _, "jsonb":
            return None, "documents are compared as JSON"
        case _:
            return None, "it holds the same values"


def _nullability_differences(table: str, expected: ExpectedColumn, found: TargetColumn) -> Iterator[Finding]:
    if expected.is_required == found.is_required:
        return
    detail = (
        "expected NOT NULL, found a column that takes NULL; the application cannot read a row with one"
        if expected.is_required
        else "expected a column that takes NULL, found NOT NULL; rows without a value are refused"
    )
    yield Finding(Severity.WARNING, "changed_nullability", table, expected.name, detail=detail)


def _default_differences(table: str, expected: ExpectedColumn, found: TargetColumn) -> Iterator[Difference]:
    if not is_same_default(expected.kind, expected.default, found.default):
        wanted, really = (f"the default {each}" if each else "no default" for each in (expected.default, found.default))
        detail = f"expected {wanted}, found {really}; what is inserted without a value differs after the cutover"
        yield Finding(Severity.WARNING, "changed_default", table, expected.name, detail=detail)


def _listed(labels: tuple[str, ...] | list[str]) -> str:
    return ", ".join(labels)
