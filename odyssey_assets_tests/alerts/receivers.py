"""Real servers on loopback that take alerts: one speaks SMTP, one HTTP; both can fail, vanish, and come back.

Belongs here: receiving. Does not belong here: what is expected of the messages.
"""

import http.server
import json
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from apprise import Apprise

with warnings.catch_warnings():
    # Apprise loads its plugins at the first use, and one of them a module that Python 3.13 drops.
    warnings.simplefilter("ignore", DeprecationWarning)
    Apprise.instantiate("json://localhost")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class HttpReceiver:
    """Keeps what was posted and counts what was asked for. ``statuses`` are the next answers, then it is ``status``."""

    def __init__(self) -> None:
        self.port = free_port()
        self.status = 200
        self.statuses: list[int] = []
        self.messages: list[dict[str, Any]] = []
        self.refused = 0
        self.beats = 0
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """As an Apprise URL."""
        return f"json://127.0.0.1:{self.port}/alerts"

    @property
    def heartbeat_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/heartbeat"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]

    def start(self) -> None:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.statuses.pop(0) if receiver.statuses else receiver.status
                if status == 200:
                    receiver.messages.append(json.loads(body))
                else:
                    receiver.refused += 1
                self.answer(status)

            def do_GET(self) -> None:
                receiver.beats += receiver.status == 200
                self.answer(receiver.status)

            def answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class SmtpReceiver:
    """Keeps the mails it takes; while ``refuses`` it turns every one away."""

    def __init__(self) -> None:
        self.port = free_port()
        self.refuses = False
        self.mails: list[dict[str, str]] = []
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        """As an Apprise URL."""
        return f"mailto://127.0.0.1:{self.port}?from=odyssey@example.org&to=oncall@example.org&mode=insecure"

    @property
    def titles(self) -> list[str]:
        return [mail["title"] for mail in self.mails]

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.refuses:
            return "451 Try again later"
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        self.mails.append({"title": str(mail["Subject"]), "message": body.get_content(), "to": envelope.rcpt_tos[0]})
        return "250 OK"

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


@contextmanager
def receiving(receiver: HttpReceiver | SmtpReceiver) -> Iterator[None]:
    receiver.start()
    try:
        yield
    finally:
        receiver.stop()
