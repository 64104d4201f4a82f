"""Receivers for the tests of the alerts, and short ways to say what was observed."""

from collections.abc import Iterator

import pytest

from odyssey_assets_tests.alerts.receivers import HttpReceiver, SmtpReceiver, receiving


@pytest.fixture
def web() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    with receiving(receiver):
        yield receiver


@pytest.fixture
def mail() -> Iterator[SmtpReceiver]:
    receiver = SmtpReceiver()
    with receiving(receiver):
        yield receiver
