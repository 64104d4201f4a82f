"""Real misfortunes to happen to a sync: a network that breaks off, a disk that is full, a server killed at once.

Belongs here: causing them. Does not belong here: what must come of it (``test_faults``).
"""

import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from odyssey_assets.target.embedded import EmbeddedServer

HOST = "127.0.0.1"


class CuttingProxy:
    """Passes bytes to a server and back, and resets every connection once ``cut_after`` bytes have passed."""

    def __init__(self, listener: socket.socket, server_port: int) -> None:
        self.listener, self.server_port = listener, server_port
        self.port: int = listener.getsockname()[1]
        self.passed_bytes = 0
        self.cut_after: int | None = None
        self.is_over = False
        self._peers: dict[socket.socket, socket.socket] = {}

    def arm(self, cut_after: int | None) -> None:
        self.passed_bytes, self.cut_after = 0, cut_after

    def serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            while not self.is_over:
                for key, _ in selector.select(timeout=0.05):
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    if ready is self.listener:
                        self._accept(selector)
                    elif ready in self._peers:
                        self._pass(selector, ready)
            for each in list(self._peers):
                self._end(selector, each)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        client, _ = self.listener.accept()
        server = socket.create_connection((HOST, self.server_port))
        for one, other in ((client, server), (server, client)):
            self._peers[one] = other
            selector.register(one, selectors.EVENT_READ)

    def _pass(self, selector: selectors.BaseSelector, ready: socket.socket) -> None:
        try:
            data = ready.recv(2**14)
            self.passed_bytes += len(data)
            if data and (self.cut_after is None or self.passed_bytes < self.cut_after):
                self._peers[ready].sendall(data)
                return
        except OSError:
            pass
        self._end(selector, ready)

    def _end(self, selector: selectors.BaseSelector, one: socket.socket) -> None:
        if one not in self._peers:
            return
        for each in (one, self._peers[one]):
            del self._peers[each]
            selector.unregister(each)
            # A reset instead of a proper end, as when a cable or a firewall goes.
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.close()


@contextmanager
def cutting_proxy(server_port: int) -> Iterator[CuttingProxy]:
    """A proxy in front of the server, in a thread of its own."""
    with socket.create_server((HOST, 0)) as listener:
        proxy = CuttingProxy(listener, server_port)
        thread = threading.Thread(target=proxy.serve)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.is_over = True
            thread.join()


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of so many bytes; the test is skipped where none may be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=711", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, *, leaving_bytes: int) -> Path:
    """A file that takes the room there is, but for a rest."""
    filler = folder / "filler"
    filler.write_bytes(bytes(max(0, shutil.disk_usage(folder).free - leaving_bytes)))
    return filler


def kill_server(server: EmbeddedServer, *, with_children: bool) -> None:
    """Kill -9 the postmaster, alone or with every process it started, as the system does when memory runs out."""
    pid = int((server.data_dir / "postmaster.pid").read_text().splitlines()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children")
    killed = [pid]
    if with_children and children.exists():
        killed += map(int, children.read_text().split())
    for each in killed:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
