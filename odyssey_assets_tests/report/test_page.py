"""The page of a run: whole, harmless whatever the data holds, and saying what matters first."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey_assets.compare.checks import CheckName
from odyssey_assets.compare.differences import Difference, DifferenceKind
from odyssey_assets.errors import ConfigurationError, FindingsError, RefusedError, UnreachableError
from odyssey_assets.findings import Finding, Severity
from odyssey_assets.report.document import run_document
from odyssey_assets.report.page import ROWS_SHOWN, render_page
from odyssey_assets.sync.outcome import TableStatus
from odyssey_assets_tests.report.markup import Element, parsed
from odyssey_assets_tests.report.outcomes import CHANGED, check, facts, outcome, table

HOSTILE = "<script>alert(1)</script>\"'&amp; \x00\x1b[31m \u202egnp.exe שלום"
FINE = outcome(table("Vote", check(CheckName.ROWS_EQUAL)), table("User", check(CheckName.ROWS_EQUAL, table="User")))
BROKEN = outcome(
    table("User", check(CheckName.ROWS_EQUAL, table="User")),
    table("Vote", check(CheckName.ROW_COUNT), check(CheckName.ROWS_EQUAL, CHANGED), status=TableStatus.DIFFERS),
    problem="Integrity checks failed: Vote fails rows_equal.",
)


def heading(page: str) -> str:
    (first,) = parsed(page).all("h1")
    return first.text.strip()


def body_rows(page: str, aria_label: str) -> list[str]:
    """The text of the body rows of one table."""
    elements = parsed(page).elements
    box = next(each for each in elements if each.attributes.get("aria-label") == aria_label)
    rest = elements[elements.index(box) + 1 :]
    end = next((n for n, each in enumerate(rest) if each.tag in ("p", "section", "article", "script")), len(rest))
    return [" ".join(each.text.split()) for each in rest[:end] if each.tag == "tr"][1:]


def test_the_verdict_stands_first_in_words() -> None:
    assert heading(render_page(run_document(facts(), FINE))) == "✓ Published, and proven equal"
    assert heading(render_page(run_document(facts("verify"), FINE))) == "✓ Verified, and equal"
    assert heading(render_page(run_document(facts("verify"), BROKEN))) == "✗ Differences found"
    assert heading(render_page(run_document(facts(), BROKEN))) == "✗ Not published: integrity would be broken"
    for error, words in (
        (ConfigurationError("x"), "■ Not started: something is not set up right"),
        (RefusedError("x"), "■ Refused, with nothing changed"),
        (UnreachableError("x"), "✗ A database could not be reached"),
    ):
        page = render_page(run_document(facts(), error))
        assert heading(page) == words
        assert parsed(page).all("table") == []


def test_checks_started_by_hand_are_a_verification_whatever_the_job_is_called() -> None:
    verified = outcome(table("Vote", status=TableStatus.VERIFIED), table("Badge", status=TableStatus.ABSENT))
    assert heading(render_page(run_document(facts("__ASSET_JOB"), verified))) == "✓ Verified, and equal"


def test_the_run_is_named_with_everything_it_rests_on() -> None:
    document = run_document(facts(), FINE)
    text = parsed(render_page(document)).text
    snapshot: Any = document["snapshot"]
    for expected in (
        "Sync of 2026-12-31 23:59:57 UTC",
        "took 1 min 15 s",
        "/srv/odyssey.db",
        snapshot["id"],
        snapshot["sha256"],
        "postgresql://me:***@there/odyssey",
        "PostgreSQL 18.6, schema public",
        "7, made by this run",
        "dagster 1.",
        "14 rows, 2 of Odyssey's tables, and no difference left.",
        "2 of 2",
    ):
        assert expected in " ".join(text.split()), expected


def test_failed_checks_come_before_everything_else() -> None:
    page = render_page(run_document(facts(), BROKEN))
    headings = [each.text for each in parsed(page).all("h2")]
    assert headings[0] == "Failed checks"
    assert headings.index("This run") < headings.index("Tables")
    (failed,) = parsed(page).all("h3")
    assert " ".join(failed.text.split()) == "Vote · rows_equal"
    assert body_rows(page, "Rows of Vote rows_equal") == ["changedid=v1weight"]


def test_values_are_on_the_page_only_where_they_are_in_the_document() -> None:
    page = render_page(run_document(facts(), BROKEN, show_values=True))
    assert body_rows(page, "Rows of Vote rows_equal") == ["changedid=v1weight1.02.0"]


def test_a_warning_does_not_hide_behind_success_nor_look_like_failure() -> None:
    written = replace(CHANGED, note="transaction 12")
    warned = check(CheckName.TAMPERING, written, severity=Severity.WARNING)
    page = render_page(run_document(facts(), outcome(table("Vote", check(CheckName.ROWS_EQUAL), warned))))
    assert heading(page) == "✓ Published, and proven equal"
    assert "! 1 check warns" in " ".join(parsed(page).text.split())
    assert "Failed checks" not in [each.text for each in parsed(page).all("h2")]
    assert body_rows(page, "Rows of Vote tampering") == ["changedid=v1weighttransaction 12"]


def test_every_table_has_its_row_and_every_check_its_line() -> None:
    counts = {"inserted": 3, "updated": 2, "deleted": 1, "quarantined": 4, "bytes": 8192}
    vote = table("Vote", check(CheckName.ROW_COUNT), check(CheckName.NULLS, CHANGED), **counts)
    absent = replace(table("Badge", status=TableStatus.ABSENT), target_rows=0)
    left = replace(table("UserBadge", status=TableStatus.ABSENT), target_rows=3)
    page = render_page(run_document(facts(), outcome(vote, absent, left)))
    assert body_rows(page, "Tables") == [
        "Vote synced ✗ 1 of 2 failed 7 7 3 2 1 4 0.12 8.2 kB 1180…3425 -5",
        "Badge absent not in this version of the source",
        "UserBadge absent not in this version of the source; PostgreSQL holds 3 rows, left alone",
    ]
    assert body_rows(page, "Every check")[1:] == ["row_count✓ passed70seen", "nulls✗ failed71seen"]
    titles = [each.attributes["title"] for each in parsed(page).all("td") if "title" in each.attributes]
    assert titles[0] == "1180591620717411303425"


def test_how_far_the_source_moved_on_is_said_where_it_is_known() -> None:
    lagging = outcome(table("Vote", status=TableStatus.VERIFIED, rows_behind=1234), table("User", rows_behind=0))
    page = render_page(run_document(facts("verify"), lagging))
    assert "SQLite has moved on since the publication: 1,234 rows in 1 table." in parsed(page).text
    assert "SQLite since" in [each.text for each in parsed(page).all("th")]
    assert "SQLite since" not in render_page(run_document(facts("verify"), FINE))


def test_rows_are_sorted_by_numbers_not_by_how_they_are_written() -> None:
    page = render_page(run_document(facts(), outcome(replace(table(), source_rows=1_234_567))))
    (cell,) = [each for each in parsed(page).all("td") if each.text == "1,234,567"]
    assert cell.attributes["data-sort"] == "1234567"


def test_findings_are_listed_worst_first_and_said_once() -> None:
    findings = [Finding(Severity.WARNING, "held_back_parent", "Event", "userId", {"id": "e1"}, 1, "its user stays")]
    findings += [Finding(Severity.ERROR, "orphan", "Vote", "userId", {"id": f"v{n}"}, 1, "no user") for n in range(200)]
    page = render_page(run_document(facts(), FindingsError(findings)))
    rows = body_rows(page, "Findings")
    assert len(rows) == ROWS_SHOWN
    assert rows[0] == "errororphanVote.userIdid=v01no user"
    assert "The first 100 of 201" in parsed(page).text
    assert "200 objections, listed below. Nothing was changed." in parsed(page).text
    assert page.count("id=v0<") + page.count(">v0<") == 1


def test_a_check_with_many_rows_shows_the_first_and_says_how_many() -> None:
    many = [Difference(DifferenceKind.EXTRA, {"id": f"v{n}"}) for n in range(ROWS_SHOWN + 1)]
    page = render_page(run_document(facts(), outcome(table("Vote", check(CheckName.ROWS_EQUAL, *many)), problem="x")))
    assert len(body_rows(page, "Rows of Vote rows_equal")) == ROWS_SHOWN
    assert f"The first {ROWS_SHOWN} of {ROWS_SHOWN + 1} that were named" in parsed(page).text


def test_nothing_in_the_data_becomes_markup() -> None:
    broken = Difference(DifferenceKind.CHANGED, {"id": HOSTILE, HOSTILE: 1}, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    failed = check(CheckName.ROWS_EQUAL, broken, detail=HOSTILE)
    document = run_document(facts(HOSTILE), outcome(table("Vote", failed), problem=HOSTILE), show_values=True)
    page = render_page(document)
    assert len(parsed(page).all("script")) == 1
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") > 6
    assert not {"\x00", "\x1b", "\u202e"} & set(page)
    assert "שלום" in page
    found = render_page(
        run_document(
            facts(), FindingsError([Finding(Severity.ERROR, HOSTILE, HOSTILE, HOSTILE, {"id": HOSTILE}, 1, HOSTILE)])
        )
    )
    assert len(parsed(found).all("script")) == 1


def test_a_megabyte_in_a_key_does_not_make_a_megabyte_of_page() -> None:
    large = Difference(DifferenceKind.CHANGED, {"id": "k" * 1_048_576}, "weight", "v" * 1_048_576, None)
    document = run_document(facts(), outcome(table("Vote", check(CheckName.ROWS_EQUAL, large))), show_values=True)
    assert len(render_page(document)) < 40_000


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()), st.integers() | st.none() | st.floats())
def test_any_text_makes_a_whole_page(name: str, text: str, value: float | None) -> None:
    difference = Difference(DifferenceKind.CHANGED, {name: value, "id": text}, name, text, value, text)
    ended = outcome(table(name, check(CheckName.NULLS, difference, table=name, detail=text)), problem=text)
    page = render_page(run_document(facts(), ended, show_values=True))
    assert len(parsed(page).all("script")) == 1
    page.encode("utf-8")


@pytest.mark.parametrize("ended", [FINE, BROKEN])
def test_the_page_needs_nothing_else(ended: Any) -> None:
    page = render_page(run_document(facts(), ended))
    for element in parsed(page).elements:
        assert element.tag not in {"link", "img", "iframe", "object", "embed", "base"}
        assert not {"src", "href", "action", "srcset"} & element.attributes.keys()
    assert re.findall(r"""(?:https?:)?//\w[\w.-]*\.\w+|url\(|@import""", page) == []


def test_only_the_pages_own_script_may_run() -> None:
    page = render_page(run_document(facts(), FINE))
    (script,) = parsed(page).all("script")
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    (policy,) = [each for each in parsed(page).all("meta") if "http-equiv" in each.attributes]
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    assert not any(name.startswith("on") for each in parsed(page).elements for name in each.attributes)


def test_a_page_can_be_made_again_from_the_kept_document() -> None:
    document = run_document(facts(), BROKEN)
    assert render_page(json.loads(json.dumps(document))) == render_page(document)


def test_colour_is_not_the_only_sign() -> None:
    page = render_page(run_document(facts(), BROKEN))
    chips = [each for each in parsed(page).elements if "chip" in _classes(each)]
    assert {(_classes(each)[-1], each.text[0]) for each in chips} == {("good", "✓"), ("bad", "✗")}


def _classes(element: Element) -> list[str]:
    return (element.attributes.get("class") or "").split()
