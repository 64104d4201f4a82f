"""Smoke tests: a query or a page that does not work is told, and nothing to try it on is no pass."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from odyssey_assets.cutover.request import UrlCheck, url_check
from odyssey_assets.cutover.smoke import ask_pages, run_queries
from odyssey_assets.errors import ConfigurationError
from odyssey_assets.model.queries import MAIN_QUERIES
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.statements import prisma_sql, run_postgres
from odyssey_assets_tests.sync.dual_run import DualRun
from odyssey_assets_tests.sync.ordinary_role import as_role


@contextmanager
def pages(statuses: list[int]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers with each status in turn, the last one for ever; its URL and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def target_of(pair: DualRun) -> TargetUrl:
    return parse_target_url(as_role(pair.uri))


def test_every_main_query_is_tried(pair: DualRun) -> None:
    tests = run_queries(target_of(pair))
    assert [test.name for test in tests] == [query.name for query in MAIN_QUERIES]
    assert [(test.name, test.detail) for test in tests if not test.passed] == []
    assert all(test.milliseconds > 0 for test in tests)


def test_a_query_that_does_not_work_says_why_and_the_others_are_tried(pair: DualRun) -> None:
    run_postgres(pair.uri, 'ALTER TABLE "Notification" RENAME COLUMN "title" TO "moved"')
    failed = {test.name: test.detail for test in run_queries(target_of(pair)) if not test.passed}
    assert failed.keys() == {"notifications"}
    assert '"title" does not exist' in failed["notifications"]


def test_nothing_to_try_it_on_is_not_a_pass(database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5))
    tests = run_queries(parse_target_url(database_uri))
    assert {test.passed for test in tests} == {None}
    assert all("no rows to try it on" in test.detail for test in tests)


def test_a_schema_of_another_name_is_asked(database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5, schema="Other one"))
    tests = run_queries(parse_target_url(f"{database_uri}&schema=Other%20one"))
    assert {test.passed for test in tests} == {None}


def test_a_page_is_asked_until_it_answers_as_it_should() -> None:
    with pages([503, 503, 200]) as (url, asked):
        (test,) = ask_pages([UrlCheck(f"{url}/api/health", 200)], 60.0)
    assert (test.passed, test.detail, asked) == (True, "status 200, expected 200", ["/api/health"] * 3)


def test_a_page_that_never_does_is_told_with_what_it_said() -> None:
    with pages([500]) as (url, _):
        (test,) = ask_pages([UrlCheck(url, 200)], 0.0)
    assert (test.passed, test.detail) == (False, "status 500, expected 200")


def test_a_redirect_is_a_status_like_any_other() -> None:
    with pages([307]) as (url, asked):
        expected, not_expected = ask_pages([UrlCheck(url, 307), UrlCheck(url, 200)], 0.0)
    assert (expected.passed, not_expected.passed, asked) == (True, False, ["/", "/"])


def test_nobody_there_is_told() -> None:
    with pages([200]) as (url, _):
        pass
    (test,) = ask_pages([UrlCheck(url, 200)], 0.0)
    assert (test.passed, test.detail) == (False, "no answer (ConnectionError), expected 200")


@pytest.mark.parametrize(
    ("text", "url", "status"),
    [
        ("https://host/api/health", "https://host/api/health", 200),
        ("https://host/admin=401", "https://host/admin", 401),
        ("https://host/?page=2", "https://host/?page=2", 200),
        ("https://host/?page=200=404", "https://host/?page=200", 404),
    ],
)
def test_a_check_is_a_url_and_maybe_a_status(text: str, url: str, status: int) -> None:
    assert url_check(text) == UrlCheck(url, status)


@pytest.mark.parametrize("text", ["host/health", "ftp://host/", "file:///etc/passwd=200", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="takes an http or https URL"):
        url_check(text)
