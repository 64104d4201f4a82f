"""What is known of one backup, as it stands beside it in ``manifest.json``.

Belongs here: the facts and their form as JSON. Does not belong here: where they are kept (``store``).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

FORM = 1
"""The version of the file's form."""


class Kind(StrEnum):
    """Of which side."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True)
class TableContent:
    """``digest`` is PostgreSQL's own of the table, None for SQLite, whose file has one as a whole.

    ``is_as_published`` says that the ledger held the same digest, None where it held none of the table.
    """

    rows: int
    digest: str | None = None
    is_as_published: bool | None = None


@dataclass(frozen=True)
class Drill:
    """One attempt at restoring; ``detail`` is what was proven, or what was not."""

    at: datetime
    passed: bool
    seconds: float
    detail: str


@dataclass(frozen=True)
class Manifest:
    """One backup. ``sha256`` and ``bytes`` are of its data file, ``tables`` of what that holds.

    ``broken_references`` counts the rows of a SQLite file that broke its foreign keys already when it was backed up.
    """

    id: str
    kind: Kind
    taken_at: datetime
    file: str
    bytes: int
    sha256: str
    versions: Mapping[str, str]
    tables: Mapping[str, TableContent]
    is_pinned: bool = False
    note: str = ""
    broken_references: int = 0
    drills: tuple[Drill, ...] = field(default=())

    @property
    def is_restorable(self) -> bool:
        """Whether the last attempt at restoring it worked; one that was never made proves nothing."""
        return bool(self.drills) and self.drills[-1].passed

    @property
    def total_rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    def with_drill(self, drill: Drill) -> "Manifest":
        return replace(self, drills=(*self.drills, drill))


def manifest_document(manifest: Manifest) -> dict[str, Any]:
    """For JSON, as everybody is shown it."""
    document = asdict(manifest)
    document["kind"] = manifest.kind.value
    document["taken_at"] = manifest.taken_at.isoformat()
    document["drills"] = [{**asdict(drill), "at": drill.at.isoformat()} for drill in manifest.drills]
    return {**document, "is_restorable": manifest.is_restorable, "total_rows": manifest.total_rows}


def manifest_text(manifest: Manifest) -> str:
    """What stands in the file."""
    return json.dumps({"form": FORM, **manifest_document(manifest)}, ensure_ascii=False, indent=1)


def manifest_from(text: str) -> Manifest:
    """The manifest a file holds. Raises ValueError, KeyError or TypeError where it holds none."""
    found = json.loads(text)
    if found["form"] != FORM:
        raise ValueError(f"its form is {found['form']}")
    return Manifest(
        id=str(found["id"]),
        kind=Kind(found["kind"]),
        taken_at=datetime.fromisoformat(found["taken_at"]),
        file=str(found["file"]),
        bytes=int(found["bytes"]),
        sha256=str(found["sha256"]),
        versions={str(name): str(version) for name, version in found["versions"].items()},
        tables={str(name): TableContent(**table) for name, table in found["tables"].items()},
        is_pinned=bool(found["is_pinned"]),
        note=str(found["note"]),
        broken_references=int(found["broken_references"]),
        drills=tuple(Drill(**{**drill, "at": datetime.fromisoformat(drill["at"])}) for drill in found["drills"]),
    )
