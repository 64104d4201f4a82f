"""A run's document as one HTML page that needs nothing else: no network, no script to be useful, paper if need be.

Everything on the page comes from the document, so what may not be in the one is not in the other either.

Belongs here: what the page says and in which order. Does not belong here: markup (``templates``), how single values
are written (``display``), or what of a value may be told at all (``document``).
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from odyssey_assets.errors import EXIT_INTEGRITY, EXIT_REFUSED, EXIT_UNREACHABLE
from odyssey_assets.report import display
from odyssey_assets.report.chart import charts_of

ROWS_SHOWN = 100
"""Rows of one check, and findings of one run, that the page lists; the document beside it has all that were named."""

_JOBS = {"migrate": "Migration", "sync": "Sync", "verify": "Verification"}


@dataclass(frozen=True)
class Verdict:
    """The first thing to read. ``tone`` is good, bad or refused and never says anything that ``words`` does not."""

    mark: str
    words: str
    tone: str
    sentence: str


@dataclass(frozen=True)
class Fact:
    """One line about the run; ``is_code`` is text to be compared or copied letter by letter."""

    label: str
    value: str
    is_code: bool = False


def render_page(document: Mapping[str, Any]) -> str:
    """The page of a document of ``document.run_document``."""
    environment = _environment()
    script = _source(environment, "report.js")
    checks = [(table, check) for table in document["tables"] for check in table["checks"]]
    not_passed = [(table, check) for table, check in checks if not check["passed"]]
    return environment.get_template("report.html").render(
        title=_title(document),
        verdict=_verdict(document),
        facts=tuple(_facts(document)),
        totals=tuple(_totals(document)),
        charts=charts_of(document),
        failed=[each for each in not_passed if each[1]["severity"] == "error"],
        warned=[each for each in not_passed if each[1]["severity"] != "error"],
        findings=sorted(document.get("findings") or [], key=lambda each: str(each["severity"])),
        tables=document["tables"],
        has_checks=bool(checks),
        has_lag=any(table["rows_behind"] is not None for table in document["tables"]),
        rows_shown=ROWS_SHOWN,
        style=Markup(_source(environment, "report.css")),
        script=Markup(script),
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("odyssey_assets", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for shows in (
        display.shown,
        display.shown_literal,
        display.sentence,
        display.number,
        display.size,
        display.seconds,
        display.short_digest,
    ):
        environment.filters[shows.__name__] = shows
    return environment


def _source(environment: Environment, name: str) -> str:
    """A file of the page as it is written, not as a template."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].strip()


def _job(document: Mapping[str, Any]) -> str:
    return _JOBS.get(document["job"], "Run")


def _title(document: Mapping[str, Any]) -> str:
    return f"{_job(document)} of {display.moment(document['started_at'])}"


def _is_verification(document: Mapping[str, Any]) -> bool:
    """Whether nothing was to be written; checks that were started by hand from the UI have no job's name."""
    statuses = {table["status"] for table in document["tables"]}
    return document["job"] == "verify" or (bool(statuses) and statuses <= {"verified", "absent"})


def _verdict(document: Mapping[str, Any]) -> Verdict:
    is_verification = _is_verification(document)
    if document["ok"]:
        words = "Verified, and equal" if is_verification else "Published, and proven equal"
        return Verdict("✓", words, "good", " ".join(_sentences_of_success(document["tables"])))
    told = " ".join(part for part in (_problem(document), document["hint"]) if part)
    match document["exit_status"]:
        case status if status == EXIT_INTEGRITY:
            words = "Differences found" if is_verification else "Not published: integrity would be broken"
            return Verdict("✗", words, "bad", told)
        case status if status == EXIT_REFUSED:
            return Verdict("■", "Refused, with nothing changed", "refused", told)
        case status if status == EXIT_UNREACHABLE:
            return Verdict("✗", "A database could not be reached", "bad", told)
        case _:
            return Verdict("■", "Not started: something is not set up right", "refused", told)


def _sentences_of_success(tables: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = sum(table["source_rows"] for table in tables)
    yield f"{rows:,} rows, {len(tables)} of Odyssey's tables, and no difference left."
    held = sum(table["quarantined"] for table in tables)
    if held:
        yield f"{held:,} rows are held back in quarantine until they are mended in SQLite."
    behind = [table["rows_behind"] for table in tables if table["rows_behind"]]
    if behind:
        places = "1 table" if len(behind) == 1 else f"{len(behind)} tables"
        yield f"SQLite has moved on since the publication: {sum(behind):,} rows in {places}."


def _problem(document: Mapping[str, Any]) -> str:
    """Findings have a table of their own on the page; the sentence that quotes the first few would say them twice."""
    objections = sum(each["count"] for each in document.get("findings") or () if each["severity"] == "error")
    if objections:
        return f"This database cannot be carried as it is: {objections:,} objections, listed below."
    return document["problem"] or ""


def _facts(document: Mapping[str, Any]) -> Iterator[Fact]:
    began, ended = (datetime.fromisoformat(document[name]) for name in ("started_at", "finished_at"))
    took = display.seconds((ended - began).total_seconds())
    yield Fact("Time", f"{display.moment(document['started_at'])}, took {took}")
    yield Fact("Run", document["run_id"], is_code=True)
    if document["source"]:
        yield Fact("Source", document["source"]["path"], is_code=True)
    if snapshot := document.get("snapshot"):
        taken = display.moment(snapshot["taken_at"])
        yield Fact("Snapshot", snapshot["id"], is_code=True)
        yield Fact("Taken", f"{taken}, {display.size(snapshot['bytes'])}, Odyssey schema {document['source_version']}")
        yield Fact("SHA-256", snapshot["sha256"], is_code=True)
    if target := document["target"]:
        yield Fact("Target", target["url"], is_code=True)
        server = f"PostgreSQL {target['server_version']}" if target["server_version"] else "PostgreSQL, not asked"
        yield Fact("Server", f"{server}, schema {target['schema']}")
    if publication := document["publication"]:
        earlier = f"made by an earlier run from snapshot {publication['snapshot_id']}"
        yield Fact(
            "Publication", f"{publication['id']}, {'made by this run' if publication['by_this_run'] else earlier}"
        )
    yield Fact("Versions", ", ".join(f"{name} {version}" for name, version in document["versions"].items()))


def _totals(document: Mapping[str, Any]) -> Iterator[Fact]:
    tables = document["tables"]
    if not tables:
        return
    checks = [check for table in tables for check in table["checks"]]
    yield Fact("tables", display.number(len(tables)))
    yield Fact("rows in SQLite", display.number(sum(table["source_rows"] for table in tables)))
    yield Fact("rows in PostgreSQL", display.number(sum(table["target_rows"] for table in tables)))
    for kind in () if _is_verification(document) else ("inserted", "updated", "deleted"):
        yield Fact(kind, display.number(sum(table[kind] for table in tables)))
    yield Fact("held back", display.number(sum(table["quarantined"] for table in tables)))
    passed = sum(check["passed"] for check in checks)
    yield Fact("checks passed", f"{passed:,} of {len(checks):,}")
