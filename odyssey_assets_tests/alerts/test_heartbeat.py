"""The sign of life, against a real HTTP server."""

from odyssey_assets.alerts.heartbeat import ping
from odyssey_assets_tests.alerts.receivers import HttpReceiver, free_port


def test_a_beat_is_one_request(web: HttpReceiver) -> None:
    assert ping(web.heartbeat_url)
    assert web.beats == 1


def test_an_answer_that_is_no_success_is_no_beat(web: HttpReceiver) -> None:
    web.status = 503
    assert not ping(web.heartbeat_url)


def test_nobody_there_is_no_beat_and_no_error() -> None:
    assert not ping(f"http://127.0.0.1:{free_port()}/")
