"""Dagster's own launcher, and whether a run that it launched can still be at work.

Dagster's watch over runs asks the launcher, and its default one cannot tell: a run that was killed together with the
daemon would count as running for ever, and the queue would wait for it. ``dagster.yaml`` names this one instead.

Belongs here: that one question. Does not belong here: what commands execute in their own process (``instance``).
"""

import json
import socket
from collections.abc import Mapping

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

_SECONDS_TO_CONNECT = 5


class WatchedRunLauncher(DefaultRunLauncher):
    """A run lives as long as the code server that started it, which watches its runs and outlives the daemon for them.

    Where that server is killed and a run of it is not, the run is recorded as failed although it may still end well;
    that costs one more sync, and the lock in PostgreSQL keeps the two apart.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        server = run.tags.get(GRPC_INFO_TAG)
        # A run without one is executed by a command in its own process.
        if server is None or _listens(json.loads(server)):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "The process that executed this run was killed.")


def _listens(server: Mapping[str, str | int]) -> bool:
    """Asked of the system and not of the server, which may be too busy to answer. True where nobody can tell."""
    try:
        if "socket" in server:
            with socket.socket(socket.AF_UNIX) as there:
                there.connect(str(server["socket"]))
        else:
            address = (str(server["host"]), int(server["port"]))
            socket.create_connection(address, _SECONDS_TO_CONNECT).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except OSError:
        return True
    return True
