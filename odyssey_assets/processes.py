"""The UI and the daemon as two processes under one command.

Belongs here: starting, watching and ending them, and finding a UI that already runs. Does not belong here: what they
load (``workspace.yaml``).
"""

import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

from odyssey_assets.configuration import PROJECT_DIR, Settings
from odyssey_assets.errors import EXIT_DONE, ConfigurationError, UnreachableError

_ADDRESS_FILE = "ui-address"
_GRACE_SECONDS = 10.0
_START_SECONDS = 120.0
_PORTS_TRIED = 50


def serve_ui(settings: Settings, host: str, port: int) -> int:
    """Run webserver and daemon until a signal, or until one of them ends. Returns the exit status."""
    port = _free_port(host, port)
    address = f"http://{host}:{port}"
    workspace = PROJECT_DIR / "workspace.yaml"
    commands = (
        ["dagster-webserver", "-h", host, "-p", str(port), "-w", str(workspace)],
        ["dagster-daemon", "run", "-w", str(workspace)],
    )
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
    processes = [_start(command) for command in commands]
    try:
        if not _wait_until_answering(address, processes, stop):
            if stop.is_set():
                return EXIT_DONE
            raise UnreachableError("The Dagster UI did not start.", hint="Its own messages are above.")
        _address_file(settings).write_text(address)
        print(f"Odyssey's Dagster UI is at {address} (Ctrl-C ends it).", flush=True)
        while not stop.wait(1.0):
            ended = [process for process in processes if process.poll() is not None]
            if ended:
                raise UnreachableError(
                    f"{Path(str(ended[0].args[0])).name} ended by itself with status {ended[0].returncode}.",  # type: ignore[index]
                    hint="Its own messages are above.",
                )
        return EXIT_DONE
    finally:
        _address_file(settings).unlink(missing_ok=True)
        _end(processes)


def running_ui(settings: Settings) -> str | None:
    """The address of the UI that ``serve_ui`` started for this state folder, if it answers."""
    try:
        address = _address_file(settings).read_text()
    except FileNotFoundError:
        return None
    return address if _answers(address) else None


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    """Start one of Dagster's console scripts from this environment, in a session of its own.

    A terminal's Ctrl-C then reaches this process alone, which ends both in order.
    """
    script = Path(sys.executable).parent / command[0]
    return subprocess.Popen([str(script), *command[1:]], start_new_session=True, stdin=subprocess.DEVNULL)


def _end(processes: "list[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_answering(address: str, processes: "list[subprocess.Popen[bytes]]", stop: threading.Event) -> bool:
    waited = 0.0
    while waited < _START_SECONDS and not stop.wait(0.25):
        waited += 0.25
        if any(process.poll() is not None for process in processes):
            return False
        if _answers(address):
            return True
    return False


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/server_info", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _free_port(host: str, first: int) -> int:
    for port in range(first, first + _PORTS_TRIED):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise ConfigurationError(
        f"No port from {first} to {first + _PORTS_TRIED - 1} is free on {host}.", hint="Give --port."
    )


def _address_file(settings: Settings) -> Path:
    return settings.state_dir / _ADDRESS_FILE
