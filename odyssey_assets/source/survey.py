"""How many values of which storage class each column of a snapshot holds: the facts SQLite itself does not enforce.

Belongs here: counting, once per snapshot, in SQLite. Does not belong here: looking into values (``values``).
"""

from dataclasses import dataclass
from pathlib import Path

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind
from odyssey_assets.source.snapshot import open_snapshot

STORAGE_CLASSES = ("integer", "real", "text", "blob", "null")

USUAL_CLASS: dict[Kind, str] = {
    Kind.TEXT: "text",
    Kind.JSON: "text",
    Kind.ENUM: "text",
    Kind.INTEGER: "integer",
    Kind.DOUBLE: "real",
    Kind.BOOLEAN: "integer",
    Kind.MOMENT: "integer",
}
"""What Prisma's classic engine writes for a kind."""

LEGAL_CLASSES: dict[Kind, frozenset[str]] = {
    **{kind: frozenset({usual, "null"}) for kind, usual in USUAL_CLASS.items()},
    Kind.MOMENT: frozenset({"integer", "text", "null"}),
}
"""What can be carried; anything else in a column is a finding. A REAL column holds no integers: affinity turns them."""


@dataclass(frozen=True)
class ColumnSurvey:
    """Rows by storage class; classes that do not occur are left out."""

    name: str
    kind: Kind
    rows_by_class: dict[str, int]

    @property
    def null_rows(self) -> int:
        return self.rows_by_class.get("null", 0)

    @property
    def illegal_classes(self) -> tuple[str, ...]:
        return tuple(sorted(self.rows_by_class.keys() - LEGAL_CLASSES[self.kind]))

    @property
    def value_classes(self) -> frozenset[str]:
        """The storage classes of the values that are not NULL."""
        return frozenset(self.rows_by_class.keys() - {"null"})


@dataclass(frozen=True)
class TableSurvey:
    """The facts of one table of a snapshot."""

    table: str
    rows: int
    columns: dict[str, ColumnSurvey]


def survey_table(snapshot: Path, table: str, kinds: dict[str, Kind]) -> TableSurvey:
    """Count the storage classes of the named columns in one pass; one more where a column holds an illegal class."""
    # The rows themselves, not a covering index's copy of them.
    rows_sql = f"{quoted(table)} NOT INDEXED"
    legal = {name: sorted(LEGAL_CLASSES[kind] - {"null"}) for name, kind in kinds.items()}
    with open_snapshot(snapshot) as connection:
        counts = [f"count({quoted(name)})" for name in kinds]
        for name, classes in legal.items():
            counts.extend(_count_sql(name, each) for each in classes)
        rows, *values = connection.execute(f"SELECT count(*), {', '.join(counts)} FROM {rows_sql}").fetchone()
        filled = dict(zip(kinds, values, strict=False))
        by_legal_class = iter(values[len(kinds) :])
        by_class = {
            name: {each: next(by_legal_class) for each in classes} | {"null": rows - filled[name]}
            for name, classes in legal.items()
        }
        mixed = [name for name in kinds if sum(by_class[name].values()) != rows]
        if mixed:
            sums = ", ".join(_count_sql(name, each) for name in mixed for each in STORAGE_CLASSES)
            exact = iter(connection.execute(f"SELECT {sums} FROM {rows_sql}").fetchone())
            by_class |= {name: {each: next(exact) for each in STORAGE_CLASSES} for name in mixed}
    columns = {
        name: ColumnSurvey(name, kind, {each: count for each, count in by_class[name].items() if count})
        for name, kind in kinds.items()
    }
    return TableSurvey(table, rows, columns)


def _count_sql(column: str, storage_class: str) -> str:
    # Counting what is not of the class is SQLite's fastest way to tell: 0.28 s where sum(typeof(c) = class) takes 0.32.
    return f"count(*) - count(nullif(typeof({quoted(column)}), '{storage_class}'))"


def unsurveyed(table: str, kinds: dict[str, Kind]) -> TableSurvey:
    """A survey that expects everything everywhere, for reading a few rows; its counts mean nothing."""
    every_class = dict.fromkeys(STORAGE_CLASSES, 1)
    return TableSurvey(table, 0, {name: ColumnSurvey(name, kind, every_class) for name, kind in kinds.items()})
