"""Waiting for what comes about by itself in another process, and failing where it does not.

Belongs here: the patience of every test. Does not belong here: what is waited for.
"""

import subprocess
import time
from collections.abc import Callable

from odyssey_assets_tests.statements import ask_postgres

PATIENCE_SECONDS = 120
_PAUSE_SECONDS = 0.05


def wait_until(fact: Callable[[], bool], *processes: "subprocess.Popen[bytes]") -> None:
    """Wait, as long as the processes run that it takes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert [process.args for process in processes if process.poll() is not None] == [], "it ended by itself"
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(_PAUSE_SECONDS)


def wait_until_true(uri: str, query: str) -> None:
    """Wait until a query of one value answers that it is so."""
    wait_until(lambda: ask_postgres(uri, query) == [(True,)])


def wait_until_alone(uri: str) -> None:
    """Until the server has noticed, at its next word to them, that killed clients of this database are gone."""
    wait_until_true(uri, _ALONE_SQL)


_ALONE_SQL = """
SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend')
"""
