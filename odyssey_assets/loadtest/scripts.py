"""What the load test's clients do: the application's main queries with values of real rows, and voting.

A vote is written with everything it costs - the row, its index entries, the check of its foreign keys, a commit that
waits for the disk - and nobody ever sees it: it is taken back to a savepoint before the transaction commits a message
of its own to the log. So nothing has to be cleaned up, also after a kill.

Belongs here: pgbench's scripts and their weights. Does not belong here: running them (``pgbench``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.queries import (
    MAIN_QUERIES,
    NEWEST_FEEDBACK,
    NOTIFICATIONS,
    ROADMAP,
    SEARCH,
    TRENDING,
    ApplicationQuery,
)
from odyssey_assets.target.connection import query

MOST_VALUES = 500
"""Different values of a query's parameter; the text of the script, which is parsed once a session, holds them all."""

VOTE = "vote"
VOTE_WEIGHT = 10
WEIGHTS = {NEWEST_FEEDBACK: 40, TRENDING: 10, SEARCH: 10, ROADMAP: 10, NOTIFICATIONS: 20}
"""In percent: what people open first, they open most."""

_VALUES = {
    SEARCH: """SELECT DISTINCT split_part("title", ' ', 1) AS value FROM {schema}."Feedback" """,
    NOTIFICATIONS: """SELECT DISTINCT "userId" AS value FROM {schema}."Notification" """,
}
_FEEDBACK_SQL = """SELECT "id" AS value FROM {schema}."Feedback" ORDER BY "createdAt" DESC"""
_USERS_SQL = """SELECT "id" AS value FROM {schema}."User" """


@dataclass(frozen=True)
class Script:
    """One kind of transaction."""

    name: str
    weight: int
    text: str


@dataclass(frozen=True)
class LeftOut:
    """What is not tried, and why; it is told, for what was not tried has not passed."""

    name: str
    reason: str


def scripts_for(connection: Connection, schema: str) -> tuple[tuple[Script, ...], tuple[LeftOut, ...]]:
    """Scripts for what the database has rows for and the role may do, and what is left out."""
    found = [*_query_scripts(connection, schema), _vote_script(connection, schema)]
    return (
        tuple(each for each in found if isinstance(each, Script)),
        tuple(each for each in found if isinstance(each, LeftOut)),
    )


def _query_scripts(connection: Connection, schema: str) -> Iterator[Script | LeftOut]:
    for asked in MAIN_QUERIES:
        missing = [table for table in asked.tables if not _may(connection, schema, table, "SELECT")]
        if missing:
            yield LeftOut(asked.name, f"{', '.join(missing)} is not there or may not be read")
        elif asked not in _VALUES:
            yield Script(asked.name, WEIGHTS[asked], f"{_sql(asked, schema)};\n")
        else:
            values = _values(connection, _VALUES[asked], schema)
            if values:
                text = f"\\set n random(1, {len(values)})\n{_sql(asked, schema).replace('$1', _pick(values, 'n'))};\n"
                yield Script(asked.name, WEIGHTS[asked], text)
            else:
                yield LeftOut(asked.name, f"{asked.tables[0]} has no rows to try it on")


def _vote_script(connection: Connection, schema: str) -> Script | LeftOut:
    if not all(_may(connection, schema, "Vote", right) for right in ("SELECT", "INSERT", "UPDATE")):
        return LeftOut(VOTE, "Vote is not there or may not be written")
    feedback = _values(connection, _FEEDBACK_SQL, schema)
    users = _values(connection, _USERS_SQL, schema)
    if not (feedback and users):
        return LeftOut(VOTE, "there is no feedback or nobody to vote for it")
    text = _VOTE_TEXT.format(
        feedback_count=len(feedback),
        user_count=len(users),
        table=f"{quoted(schema)}.{quoted('Vote')}",
        feedback=_pick(feedback, "f"),
        user=_pick(users, "u"),
    )
    return Script(VOTE, VOTE_WEIGHT, text)


def _sql(asked: ApplicationQuery, schema: str) -> str:
    return asked.sql.format(schema=quoted(schema)).strip()


def _pick(values: Sequence[str], variable: str) -> str:
    """The value at the variable's place. In hexadecimal, since pgbench takes every :word for one of its variables."""
    listed = ",".join(f"'{value.encode().hex()}'" for value in values)
    return f"convert_from(decode((ARRAY[{listed}])[:{variable}], 'hex'), 'UTF8')"


def _values(connection: Connection, sql: str, schema: str) -> list[str]:
    rows = query(connection, f"{sql.format(schema=quoted(schema))} LIMIT {MOST_VALUES}")
    return [str(row["value"]) for row in rows if row["value"]]


def _may(connection: Connection, schema: str, table: str, right: str) -> bool:
    (row,) = query(
        connection,
        "SELECT coalesce(has_table_privilege(to_regclass($1), $2), false) AS it",
        [f"{quoted(schema)}.{quoted(table)}", right],
    )
    return bool(row["it"])


_VOTE_TEXT = """\\set f random(1, {feedback_count})
\\set u random(1, {user_count})
BEGIN;
SAVEPOINT vote;
INSERT INTO {table} ("id", "feedbackId", "userId", "weight", "decayedWeight", "createdAt")
VALUES ('loadtest ' || gen_random_uuid(), {feedback}, {user}, 1, 1, now())
ON CONFLICT ("feedbackId", "userId") DO UPDATE SET "weight" = EXCLUDED."weight";
ROLLBACK TO SAVEPOINT vote;
SELECT pg_logical_emit_message(true, 'odyssey loadtest', '');
COMMIT;
"""
