"""The UI and the daemon as one command; the whole of it is driven in ``end_to_end``."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from odyssey_assets.configuration import settings_from_environment
from odyssey_assets.errors import ConfigurationError
from odyssey_assets.processes import _free_port, running_ui


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers as Dagster's webserver does when asked who it is."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/server_info" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def answering() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_running_ui_is_found_by_its_address_file(tmp_path: Path) -> None:
    settings = settings_from_environment({"ODYSSEY_STATE_DIR": str(tmp_path)})
    assert running_ui(settings) is None
    with answering() as address:
        (tmp_path / "ui-address").write_text(address)
        assert running_ui(settings) == address
    assert running_ui(settings) is None


def test_a_port_in_use_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = _free_port("127.0.0.1", port)
        assert port < found < port + 50
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", found))


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"No port from 3000 to 3049 is free on 192\.0\.2\.1"):
        _free_port("192.0.2.1", 3000)
