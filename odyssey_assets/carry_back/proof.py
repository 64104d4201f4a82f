"""The proof of the new file: every cell against PostgreSQL, held rows against the base, and SQLite's own judgement.

Belongs here: what the finished file must stand. Does not belong here: writing it (``rewrite``).
"""

import json
from collections.abc import Mapping
from pathlib import Path

from odyssey_assets.carry_back.changes import TableChange
from odyssey_assets.compare.checks import CheckName, check_table
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.preflight.objections import Rowids
from odyssey_assets.source.snapshot import open_snapshot, read_only_uri
from odyssey_assets.source.soundness import BrokenReference, foreign_key_check, integrity_check

_NO_FILE = "No new file was written."
_PROVING = frozenset({CheckName.ROW_COUNT, CheckName.NULLS, CheckName.ROWS_EQUAL})
_SHOWN = 5


def require_equal(proof: TableChange) -> None:
    """Raise IntegrityError unless every row and cell of the table was compared and is equal."""
    rows = proof.survey.rows - len(proof.held if proof.held is not None else ())
    verdicts = [check for check in check_table(proof.table, rows, proof.comparison, ()) if check.name in _PROVING]
    failed = [check for check in verdicts if not check.passed]
    if failed or len(verdicts) != len(_PROVING):
        told = "; ".join(f"{check.name}: {check.detail}" for check in failed)
        first = next(iter(proof.comparison.listed), None)
        raise IntegrityError(
            f"The new SQLite file differs from PostgreSQL in {proof.table.name}: {told}.",
            hint=f"This is a fault of this project; report it. {_NO_FILE}",
            table=proof.table.name,
            column=first.column if first else None,
        )


def require_held_rows(new_file: Path, base: Path, held: Mapping[str, Rowids]) -> None:
    """Raise IntegrityError unless every row that was held back is in the new file as it is in the base."""
    with open_snapshot(new_file) as connection:
        connection.execute("ATTACH ? AS base", (read_only_uri(base, immutable=True),))
        for table, rowids in held.items():
            name, listed = quoted(table), json.dumps(rowids.tolist())
            rows = "WHERE rowid IN (SELECT value FROM json_each(?))"
            (lost,) = connection.execute(
                f"SELECT count(*) FROM (SELECT rowid, * FROM base.{name} {rows} "
                f"EXCEPT SELECT rowid, * FROM main.{name} {rows})",
                (listed, listed),
            ).fetchone()
            if lost:
                raise IntegrityError(
                    f"Rows of {table} that were held back are not in the new file as they were: {lost:,}.",
                    hint=f"This is a fault of this project; report it. {_NO_FILE}",
                    table=table,
                )


def require_integrity(new_file: Path) -> None:
    """Raise IntegrityError where SQLite's integrity_check objects to the file."""
    damage = integrity_check(new_file)
    if damage:
        raise IntegrityError(
            f"SQLite objects to the new file: {'; '.join(damage[:_SHOWN])}.",
            hint=f"The base may be damaged; take another. {_NO_FILE}",
        )


def broken_references(new_file: Path, base: Path, held: Mapping[str, Rowids]) -> tuple[BrokenReference, ...]:
    """References that lead nowhere, all of held rows or as the base has them; any other raises IntegrityError."""
    broken = foreign_key_check(new_file)
    of_others = [each for each in broken if each.rowid not in held.get(each.table, ())]
    new = set(of_others) - set(foreign_key_check(base)) if of_others else set()
    if new:
        told = sorted(f"{each.table} row {each.rowid} refers to a missing {each.parent}" for each in new)
        raise IntegrityError(
            f"Rows of PostgreSQL refer to rows that do not exist: {'; '.join(told[:_SHOWN])}.",
            hint=f"Mend them in PostgreSQL, where a foreign key must be missing. {_NO_FILE}",
            table=min(each.table for each in new),
        )
    return broken
