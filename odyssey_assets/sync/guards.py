"""What must hold before a run may touch the target.

Belongs here: refusals. Does not belong here: objections about data (``preflight``, ``compare``).
"""

from collections.abc import Iterable, Mapping

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import RefusedError
from odyssey_assets.source.inspection import SourceCatalog
from odyssey_assets.sync.ledger import Publication
from odyssey_assets.sync.outcome import TableOutcome
from odyssey_assets.sync.truth import switched_cutover
from odyssey_assets.target.connection import query

DELETES_ALWAYS_ALLOWED_ROWS = 10
DELETES_ALWAYS_ALLOWED_SHARE = 0.10
"""More deletes than both of these in one table look like an accident until someone says otherwise."""


def refuse_large_deletes(outcomes: Iterable[TableOutcome], allowed: Mapping[str, int]) -> None:
    """The delete breaker. Raises RefusedError naming every table that would lose too many rows."""
    tripped = [
        outcome
        for outcome in outcomes
        if outcome.extra_rows > DELETES_ALWAYS_ALLOWED_ROWS
        and outcome.extra_rows > DELETES_ALWAYS_ALLOWED_SHARE * outcome.target_rows
        and outcome.extra_rows > allowed.get(outcome.name, 0)
    ]
    if tripped:
        told = "; ".join(f"{each.name} {each.extra_rows:,} of {each.target_rows:,} rows" for each in tripped)
        options = " ".join(f"--allow-deletes {each.name}={each.extra_rows}" for each in tripped)
        raise RefusedError(
            f"This sync would delete a large part of PostgreSQL's rows: {told}.",
            hint=f"If they are really meant to go, say so: {options}. Nothing was changed.",
            table=tripped[0].name,
        )


def hold_sync_lock(connection: Connection, schema: str) -> None:
    """Hold the one lock of all runs that write to this schema until the transaction ends, from whichever machine.

    Raises RefusedError when another run holds it.
    """
    (row,) = query(
        connection,
        "SELECT pg_try_advisory_xact_lock(hashtextextended('odyssey_sync.' || $1, 0)) AS is_ours",
        [schema],
    )
    if not row["is_ours"]:
        raise RefusedError(
            "Another Odyssey run is writing to this database.",
            hint="Wait until it has finished, then run again; nothing was changed.",
        )


def refuse_after_switch(connection: Connection, schema: str, *, is_writing: bool = True) -> None:
    """Raise RefusedError where a cut-over has made PostgreSQL the truth.

    A sync would overwrite it, and a verification would take what the application wrote there for damage.
    """
    switched = switched_cutover(connection, schema)
    if switched is None:
        return
    reason = (
        "a sync from SQLite would overwrite what the application wrote there"
        if is_writing
        else "SQLite no longer says what it should hold"
    )
    hint = (
        "The way back is odyssey rollback."
        if is_writing
        else "What was proven at the switch is in its certificate; odyssey backup and odyssey drill look after "
        "PostgreSQL from now on."
    )
    raise RefusedError(
        f"PostgreSQL is the truth since cut-over {switched.id} ({switched.changed_at}), and {reason}.",
        hint=f"{hint} Nothing was changed.",
    )


def refuse_other_source(source: SourceCatalog, source_rows: int, last: Publication) -> None:
    """Raise RefusedError where the source cannot be the one that was last published, grown older."""
    hint = "If it really is to replace the other, say so with --accept-new-source. Nothing was changed."
    if source.identity is not None and last.source_identity is not None and source.identity != last.source_identity:
        raise RefusedError(
            "This SQLite file is not the one that was last published: Prisma's first migration has another id.",
            hint=hint,
        )
    missing = [name for name in last.migrations if name not in source.migrations]
    if missing:
        raise RefusedError(
            f"This SQLite file is older than what was last published: it lacks the migration {missing[0]}.", hint=hint
        )
    if not source_rows and last.source_rows:
        raise RefusedError("This SQLite file is empty, and what was last published was not.", hint=hint)


def refuse_tampering(tampered: Iterable[str]) -> None:
    """What ``--on-tamper stop`` asks for. Raises RefusedError naming the tables."""
    names = sorted(tampered)
    if names:
        raise RefusedError(
            f"Somebody else changed rows in PostgreSQL since the last publication: {', '.join(names)}.",
            hint="See odyssey verify for the rows; sync again with --on-tamper repair to overwrite them. "
            "Nothing was changed.",
            table=names[0],
        )
