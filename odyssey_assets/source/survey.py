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
    """Count the storage classes of the named columns in one pass; a second pass only where a column is mixed."""
    # The rows themselves, not a covering index's copy of them.
    rows_sql = f"{quoted(table)} NOT INDEXED"
    with open_snapshot(snapshot) as connection:
        counts = ", ".join(
            f"count({quoted(name)}), coalesce(sum(typeof({quoted(name)}) = '{USUAL_CLASS[kind]}'), 0)"
            for name, kind in kinds.items()
        )
        rows, *values = connection.execute(f"SELECT count(*), {counts} FROM {rows_sql}").fetchone()
        columns: dict[str, ColumnSurvey] = {}
        for (name, kind), filled, usual in zip(kinds.items(), values[::2], values[1::2], strict=True):
            if filled == usual:
                by_class = {USUAL_CLASS[kind]: usual, "null": rows - filled}
            else:
                sums = ", ".join(f"sum(typeof({quoted(name)}) = '{each}')" for each in STORAGE_CLASSES)
                exact = connection.execute(f"SELECT {sums} FROM {rows_sql}").fetchone()
                by_class = dict(zip(STORAGE_CLASSES, exact, strict=True))
            columns[name] = ColumnSurvey(name, kind, {each: count for each, count in by_class.items() if count})
    return TableSurvey(table, rows, columns)
