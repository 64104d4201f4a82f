"""What must hold before a run may touch the target.

Belongs here: refusals. Does not belong here: objections about data (``preflight``, ``compare``).
"""

from adbc_driver_manager.dbapi import Connection

from odyssey_assets.errors import RefusedError
from odyssey_assets.target.connection import query


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
