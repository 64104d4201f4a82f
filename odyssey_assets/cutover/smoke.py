"""Smoke tests: does what people use first work on PostgreSQL?

Belongs here: putting the application's main queries and asking its pages. Does not belong here: the queries
(``model.queries``), or what follows from a failure (``machine``).
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import requests

from odyssey_assets.cutover.request import UrlCheck
from odyssey_assets.errors import OdysseyError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.queries import MAIN_QUERIES, ApplicationQuery
from odyssey_assets.target.connection import connect, query, translated
from odyssey_assets.target.url import TargetUrl

_ANSWER_SECONDS = 10.0
_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class SmokeTest:
    """``passed`` is None where there was nothing to try it on, which is not a pass."""

    name: str
    passed: bool | None
    detail: str
    milliseconds: float


def run_queries(target: TargetUrl) -> tuple[SmokeTest, ...]:
    """Each of the application's main queries, once."""
    return tuple(_run_query(target, each) for each in MAIN_QUERIES)


def ask_pages(checks: Iterable[UrlCheck], wait_seconds: float) -> tuple[SmokeTest, ...]:
    """Each page, asked again until it answers as it should or its time is up."""
    return tuple(_ask_page(each, wait_seconds) for each in checks)


def _run_query(target: TargetUrl, asked: ApplicationQuery) -> SmokeTest:
    schema = quoted(target.schema)
    began = time.perf_counter()
    try:
        with connect(target, read_only=True) as connection, translated(target):
            (probe,) = query(
                connection, f"SELECT EXISTS (SELECT 1 FROM {schema}.{quoted(asked.tables[0])}) AS has_rows"
            )
            if not probe["has_rows"]:
                return SmokeTest(asked.name, None, f"{asked.tables[0]} has no rows to try it on", 0.0)
            values = []
            if asked.parameter_sql is not None:
                (found,) = query(connection, asked.parameter_sql.format(schema=schema))
                values = [found["value"]]
            began = time.perf_counter()
            rows = query(connection, asked.sql.format(schema=schema), values)
    except OdysseyError as error:
        return SmokeTest(asked.name, False, error.message, _milliseconds_since(began))
    return SmokeTest(asked.name, True, f"{len(rows):,} rows", _milliseconds_since(began))


def _ask_page(check: UrlCheck, wait_seconds: float) -> SmokeTest:
    deadline = time.monotonic() + wait_seconds
    while True:
        began = time.perf_counter()
        try:
            answer = requests.get(check.url, timeout=_ANSWER_SECONDS, allow_redirects=False)
            said = f"status {answer.status_code}"
            passed = answer.status_code == check.status
        except requests.RequestException as error:
            said, passed = f"no answer ({type(error).__name__})", False
        if passed or time.monotonic() >= deadline:
            return SmokeTest(check.url, passed, f"{said}, expected {check.status}", _milliseconds_since(began))
        time.sleep(_RETRY_SECONDS)


def _milliseconds_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
