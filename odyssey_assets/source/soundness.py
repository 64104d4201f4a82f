"""Whether a snapshot is sound by SQLite's own judgement.

Belongs here: SQLite's checks and their objections in words. Does not belong here: anything PostgreSQL would object to.
"""

from pathlib import Path

from odyssey_assets.errors import IntegrityError
from odyssey_assets.source.snapshot import BrokenReference, foreign_key_check, integrity_check, quick_check

_SHOWN = 5


def require_sound(snapshot: Path) -> None:
    """Raise IntegrityError where quick_check or foreign_key_check objects to the snapshot."""
    _require_nothing(snapshot, quick_check(snapshot))


def require_whole(snapshot: Path) -> None:
    """The same with integrity_check, which also finds an index that disagrees with its table."""
    _require_nothing(snapshot, integrity_check(snapshot))


def _require_nothing(snapshot: Path, damage: tuple[str, ...]) -> None:
    if damage:
        raise IntegrityError(
            f"The SQLite file is damaged: {'; '.join(damage[:_SHOWN])}.",
            hint="Restore it from a backup, or recover it with the sqlite3 shell's .recover; nothing was changed.",
        )
    broken = foreign_key_check(snapshot)
    if broken:
        first = broken[0]
        shown = "; ".join(map(_sentence, broken[:_SHOWN]))
        more = f" ... and {len(broken) - _SHOWN:,} more" if len(broken) > _SHOWN else ""
        raise IntegrityError(
            f"The SQLite file breaks its own foreign keys: {shown}{more}.",
            hint="Run odyssey preflight for the keys of these rows, and mend them in SQLite; nothing was changed.",
            table=first.table,
        )


def _sentence(broken: BrokenReference) -> str:
    row = f"a row of {broken.table}" if broken.rowid is None else f"{broken.table} row {broken.rowid}"
    return f"{row} refers to a missing {broken.parent}"
