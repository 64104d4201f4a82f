"""Where a cut-over stands, in ``odyssey_sync`` of the target, so that whoever takes over finds it.

Every function is a transaction of its own, committed when it returns.

Belongs here: reading and writing the two tables. Does not belong here: what may follow what (``machine``).
"""

import json
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import replace

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.cutover.steps import UNFINISHED, Cutover, DoneStep, State, Step
from odyssey_assets.errors import OdysseyError, RefusedError
from odyssey_assets.sync.bookkeeping import bookkeeping_version, ensure_bookkeeping
from odyssey_assets.sync.guards import hold_sync_lock
from odyssey_assets.sync.truth import CUTOVERS_SINCE_VERSION
from odyssey_assets.target.connection import commit, connect, query
from odyssey_assets.target.url import TargetUrl


def newest_cutover(target: TargetUrl, *, rehearsals: bool = True) -> Cutover | None:
    """The newest one of this schema; None where there was none."""
    with connect(target, read_only=True) as connection:
        return next(iter(_read(connection, target.schema, rehearsals=rehearsals)), None)


def unfinished_cutover(target: TargetUrl) -> Cutover | None:
    """The one that is under way or was broken off; there is never more than one."""
    with connect(target, read_only=True) as connection:
        cutovers = _read(connection, target.schema, rehearsals=True)
    return next((each for each in cutovers if each.state in UNFINISHED), None)


def expected_seconds(target: TargetUrl) -> Mapping[Step, float]:
    """What each step took the last time one was carried to its end, rehearsals included."""
    with connect(target, read_only=True) as connection:
        cutovers = _read(connection, target.schema, rehearsals=True)
    spent: dict[Step, float] = {}
    for each in cutovers:
        for step, done in each.done.items():
            spent.setdefault(step, done.seconds)
    return spent


def begin(target: TargetUrl, *, source_path: str, is_rehearsal: bool, seals_source: bool) -> Cutover:
    """Begin one, by this process. Raises RefusedError while another is unfinished."""
    with connect(target) as connection:
        hold_sync_lock(connection, target.schema)
        ensure_bookkeeping(connection)
        found = next((each for each in _read(connection, target.schema) if each.state in UNFINISHED), None)
        if found is not None:
            raise RefusedError(
                f"{found.kind.capitalize()} {found.id}, begun {found.started_at} on {found.host}, is not finished.",
                hint="Go on with odyssey cutover --resume, or give it up with odyssey cutover --abort.",
            )
        (row,) = query(connection, "SELECT nextval(pg_get_serial_sequence('odyssey_sync.cutover', 'id')) AS id")
        number = int(str(row["id"]))
        query(
            connection,
            _INSERT_SQL,
            [number, target.schema, is_rehearsal, seals_source, source_path, socket.gethostname(), os.getpid()],
        )
        begun = _one(connection, target.schema, number)
        commit(connection)
    return begun


def take_over(target: TargetUrl, cutover: Cutover) -> Cutover:
    """Go on with one in this process."""
    return _changed(target, cutover, "host = $2, process_id = $3", [socket.gethostname(), os.getpid()])


def change_state(target: TargetUrl, cutover: Cutover, state: State, reason: str | None = None) -> Cutover:
    """Move on to another state; no sync runs at the moment it changes."""
    return _changed(target, cutover, "state = $2, reason = $3, changed_at = clock_timestamp()", [state.value, reason])


def note_done(target: TargetUrl, cutover: Cutover, done: DoneStep) -> Cutover:
    """Note a step as done, in place of an earlier time it was done."""
    with connect(target) as connection:
        query(connection, _NOTE_SQL, [cutover.id, done.step.value, done.seconds, json.dumps(done.detail)])
        commit(connection)
    return replace(cutover, done={**cutover.done, done.step: done})


def forget_steps(target: TargetUrl, cutover: Cutover, steps: Iterable[Step]) -> Cutover:
    """Take steps for not done, because what they saw is not what is there now."""
    gone = frozenset(steps)
    with connect(target) as connection:
        for step in gone:
            query(connection, _FORGET_SQL, [cutover.id, step.value])
        commit(connection)
    return replace(cutover, done={step: done for step, done in cutover.done.items() if step not in gone})


def _changed(target: TargetUrl, cutover: Cutover, assignments: str, values: list[object]) -> Cutover:
    with connect(target) as connection:
        hold_sync_lock(connection, target.schema)
        query(
            connection,
            f"WITH changed AS (UPDATE odyssey_sync.cutover SET {assignments} WHERE id = $1 RETURNING 1) "
            "SELECT count(*) AS n FROM changed",
            [cutover.id, *values],
        )
        found = _one(connection, target.schema, cutover.id)
        commit(connection)
    return found


def _one(connection: Connection, schema: str, number: int) -> Cutover:
    found = next((each for each in _read(connection, schema) if each.id == number), None)
    if found is None:
        raise OdysseyError(f"Cut-over {number} is no longer in odyssey_sync.", hint="Somebody removed it.")
    return found


def _read(connection: Connection, schema: str, *, rehearsals: bool = True) -> list[Cutover]:
    """All of them, newest first."""
    if bookkeeping_version(connection) < CUTOVERS_SINCE_VERSION:
        return []
    steps: dict[int, dict[Step, DoneStep]] = {}
    for row in query(connection, _STEPS_SQL, [schema]):
        done = DoneStep(Step(str(row["step"])), float(str(row["seconds"])), json.loads(str(row["detail"])))
        steps.setdefault(int(str(row["cutover_id"])), {})[done.step] = done
    return [
        Cutover(
            id=int(str(row["id"])),
            state=State(str(row["state"])),
            is_rehearsal=bool(row["is_rehearsal"]),
            seals_source=bool(row["seals_source"]),
            source_path=str(row["source_path"]),
            host=str(row["host"]),
            process_id=int(str(row["process_id"])),
            reason=None if row["reason"] is None else str(row["reason"]),
            started_at=str(row["started_at"]),
            changed_at=str(row["changed_at"]),
            done=steps.get(int(str(row["id"])), {}),
        )
        for row in query(connection, _CUTOVERS_SQL, [schema])
        if rehearsals or not row["is_rehearsal"]
    ]


_CUTOVERS_SQL = """
SELECT id, state, is_rehearsal, seals_source, source_path, host, process_id, reason,
       started_at::text AS started_at, changed_at::text AS changed_at
FROM odyssey_sync.cutover
WHERE schema_name = $1
ORDER BY id DESC
"""

_STEPS_SQL = """
SELECT s.cutover_id, s.step, s.seconds, s.detail::text AS detail
FROM odyssey_sync.cutover_step s
JOIN odyssey_sync.cutover c ON c.id = s.cutover_id
WHERE c.schema_name = $1
ORDER BY s.ended_at
"""

# The driver reads rows alone, so each of these says what it did as one.
_INSERT_SQL = """
WITH begun AS (
    INSERT INTO odyssey_sync.cutover
        (id, schema_name, state, is_rehearsal, seals_source, source_path, host, process_id)
    VALUES ($1, $2, 'running', $3, $4, $5, $6, $7)
    RETURNING 1)
SELECT count(*) AS n FROM begun
"""

_NOTE_SQL = """
WITH noted AS (
    INSERT INTO odyssey_sync.cutover_step (cutover_id, step, seconds, detail)
    VALUES ($1, $2, $3, $4::jsonb)
    ON CONFLICT (cutover_id, step)
    DO UPDATE SET seconds = excluded.seconds, detail = excluded.detail, ended_at = clock_timestamp()
    RETURNING 1)
SELECT count(*) AS n FROM noted
"""

_FORGET_SQL = """
WITH forgotten AS (DELETE FROM odyssey_sync.cutover_step WHERE cutover_id = $1 AND step = $2 RETURNING 1)
SELECT count(*) AS n FROM forgotten
"""
