"""Planting faults in the engine's own re-sync, and in what it does around a load: rows lost, altered, or left behind.

Belongs here: the faults, and taking the place of one of the engine's functions. Does not belong here: the initial
load's rows (``engine_faults``), or running the trials (``resync_trials``).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from odyssey_assets.calibration.engine_faults import in_place_of
from odyssey_assets.calibration.faults import ROW_COUNT, ROWS_EQUAL, Checks
from odyssey_assets.calibration.target_faults import Planted
from odyssey_assets.compare.differences import DifferenceKind
from odyssey_assets.compare.keyed import KeyedDifferences
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.sync import apply, delta, load, staging
from odyssey_assets.sync.staging import StagedTable
from odyssey_assets.target.connection import execute, query
from odyssey_assets.target.rebuild import TakenOff

EDITS = (
    """INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt")
       VALUES ('calibration-new', 'New', 1760000000000, 1760000000000)""",
    """UPDATE "Vote" SET "weight" = "weight" + 1 WHERE rowid = 1""",
    """DELETE FROM "AuthSession" WHERE rowid = 1""",
    """UPDATE "User" SET "email" = "email" || ' ' || (SELECT "email" FROM "User" WHERE rowid = 2) WHERE rowid = 1""",
    """UPDATE "User" SET "email" = (SELECT substr("email", 1, instr("email", ' ') - 1) FROM "User" WHERE rowid = 1)
       WHERE rowid = 2""",
    """UPDATE "User" SET "email" = substr("email", instr("email", ' ') + 1) WHERE rowid = 1""",
)
"""What the application did since the publication: something for every statement of a re-sync to carry,
two users who swapped addresses among it."""

Plant = Callable[[list[Planted]], AbstractContextManager[None]]


@dataclass(frozen=True)
class ResyncFault:
    """``expected`` are the checks that must fail; none means that the engine mends it, by reading the table in full.

    ``is_of_quick_way`` says that the fault is in what only the quick way does.
    """

    name: str
    table: str
    column: str | None
    plant: Plant
    expected: Checks
    is_of_quick_way: bool = False


def _staged(table: str, kind: DifferenceKind, spoil: Callable[[pa.RecordBatch, list[Planted]], Any]) -> Plant:
    """Rows of one kind are spoiled on their way into the temporary tables; None leaves them out."""

    @contextmanager
    def plant(planted: list[Planted]) -> Iterator[None]:
        def wrap(real: Callable[..., Iterator[pa.RecordBatch]]) -> Callable[..., Iterator[pa.RecordBatch]]:
            def difference_rows(of: CarriedTable, file: Any, asked: DifferenceKind) -> Iterator[pa.RecordBatch]:
                for batch in real(of, file, asked):
                    spoiled = spoil(batch, planted) if (of.name, asked) == (table, kind) else batch
                    if spoiled is not None:
                        yield spoiled

            return difference_rows

        with in_place_of(staging, "difference_rows", wrap):
            yield

    return plant


def _leave_out(batch: pa.RecordBatch, planted: list[Planted]) -> None:
    planted.append(Planted(tuple(batch.column("id").to_pylist()), None))


def _a_millisecond_later(batch: pa.RecordBatch, planted: list[Planted]) -> pa.RecordBatch:
    planted.append(Planted(tuple(batch.column("id").to_pylist()), "createdAt"))
    later = pc.add(batch.column("createdAt"), pa.scalar(timedelta(milliseconds=1), pa.duration("us")))
    place = batch.schema.get_field_index("createdAt")
    return batch.set_column(place, batch.schema.field(place), later.cast(batch.schema.field(place).type))


def _left_out(statement: str, table: str, column: str | None, rows: str) -> Plant:
    """One statement over one table is not made at all; ``rows`` names the temporary table it would have read."""

    @contextmanager
    def plant(planted: list[Planted]) -> Iterator[None]:
        def wrap(real: Callable[..., None]) -> Callable[..., None]:
            def leave_out(connection: Any, staged: StagedTable) -> None:
                if staged.table.name != table:
                    real(connection, staged)
                    return
                found = query(connection, f"SELECT {quoted('id')} AS id FROM {quoted(getattr(staged, rows))}")
                planted.append(Planted(tuple(str(row["id"]) for row in found), column))

            return leave_out

        with in_place_of(apply, statement, wrap):
            yield

    return plant


def _besides(statement: str, table: str, column: str, value: str) -> Plant:
    """After one statement over any table another row is changed, which no difference asked for."""

    @contextmanager
    def plant(planted: list[Planted]) -> Iterator[None]:
        def wrap(real: Callable[..., None]) -> Callable[..., None]:
            def do_more(connection: Any, staged: StagedTable) -> None:
                real(connection, staged)
                if not planted:
                    name = f"{quoted(staged.schema)}.{quoted(table)}"
                    (last,) = query(connection, f"SELECT max({quoted('id')}) AS id FROM {name}")
                    where = f"{quoted('id')} = (SELECT max({quoted('id')}) FROM {name})"
                    execute(connection, f"UPDATE {name} SET {quoted(column)} = {value} WHERE {where}")
                    planted.append(Planted((str(last["id"]),), column))

            return do_more

        with in_place_of(apply, statement, wrap):
            yield

    return plant


@contextmanager
def _overlooked(planted: list[Planted]) -> Iterator[None]:
    """The rows on changed pages are read, and said to be equal."""

    def wrap(real: Callable[..., KeyedDifferences]) -> Callable[..., KeyedDifferences]:
        def compare_by_key(
            table: CarriedTable, new: Iterator[pa.RecordBatch], old: Any, scratch: Any, **options: Any
        ) -> KeyedDifferences:
            if table.name != "Vote":
                return real(table, new, old, scratch, **options)
            planted.append(Planted((), None))
            batches = list(new)
            return real(table, iter(batches), iter(batches), scratch, **options)

        return compare_by_key

    with in_place_of(delta, "compare_by_key", wrap):
        yield


_ROWS = frozenset({ROW_COUNT, ROWS_EQUAL})
_CELLS = frozenset({ROWS_EQUAL})

RESYNC_FAULTS: tuple[ResyncFault, ...] = (
    ResyncFault("a row dropped from the delta", "Village", None,
                _staged("Village", DifferenceKind.MISSING, _leave_out), _ROWS),
    ResyncFault("a cell altered on its way", "Vote", "createdAt",
                _staged("Vote", DifferenceKind.CHANGED, _a_millisecond_later), _CELLS),
    ResyncFault("an update left out", "Vote", "weight", _left_out("update_rows", "Vote", "weight", "updates"), _CELLS),
    ResyncFault("a value put aside for a swap and left so", "User", "email",
                _left_out("update_rows", "User", "email", "updates"), _CELLS),
    ResyncFault("a delete left out", "AuthSession", None,
                _left_out("delete_rows", "AuthSession", None, "deletes"), _ROWS),
    ResyncFault("an update that reached another row", "Vote", "weight",
                _besides("update_rows", "Vote", "weight", '"weight" + 1'), _CELLS),
    ResyncFault("a row of a table without changes written", "Feature", "title",
                _besides("insert_rows", "Feature", "title", "\"title\" || ' '"), _CELLS),
    ResyncFault("a change overlooked, and the table therefore read in full", "Vote", "weight", _overlooked,
                frozenset(), is_of_quick_way=True),
)  # fmt: skip


@dataclass(frozen=True)
class RebuildFault:
    """Keys and indexes that do not come back as they were; the run must be refused, with ``named`` in what it says."""

    name: str
    table: str
    named: str
    spoil: Callable[[str], str | None]

    def taken_off(self, taken: TakenOff) -> TakenOff:
        """What is put back instead; where ``spoil`` gives None, the key or index is not put back at all."""
        indexes, keys = [], []
        for table, index in taken.indexes:
            definition = self.spoil(index.definition) if index.name == self.named else index.definition
            if definition is not None:
                indexes.append((table, replace(index, definition=definition)))
        for key in taken.foreign_keys:
            definition = self.spoil(key.definition) if key.name == self.named else key.definition
            if definition is not None:
                keys.append(replace(key, definition=definition))
        return TakenOff(tuple(indexes), tuple(keys))


REBUILD_FAULTS: tuple[RebuildFault, ...] = (
    RebuildFault("an index not put back after a load", "Feedback", "Feedback_state_idx", lambda definition: None),
    RebuildFault("a unique index put back as a plain one", "User", "User_email_key",
                 lambda definition: definition.replace("UNIQUE ", "", 1)),
    RebuildFault("a foreign key not put back after a load", "Vote", "Vote_userId_fkey", lambda definition: None),
    RebuildFault("a foreign key put back with another action", "Vote", "Vote_userId_fkey",
                 lambda definition: definition.replace("ON DELETE CASCADE", "ON DELETE RESTRICT")),
    RebuildFault("a foreign key left NOT VALID", "Vote", "Vote_userId_fkey",
                 lambda definition: f"{definition} NOT VALID"),
)  # fmt: skip


@contextmanager
def rebuilt_wrongly(fault: RebuildFault) -> Iterator[None]:
    """Keys and indexes are taken off around every load, however small, and put back with the fault."""

    def wrap(real: Callable[..., None]) -> Callable[..., None]:
        def put_back(connection: Any, catalog: Any, taken: TakenOff, on_index: Any) -> None:
            real(connection, catalog, fault.taken_off(taken), on_index)

        return put_back

    with in_place_of(load, "put_back", wrap), _always_rebuilding(load):
        yield


def _always_rebuilding(module: ModuleType) -> AbstractContextManager[None]:
    return in_place_of(module, "REBUILD_FROM_ROWS", lambda rows: 0)
