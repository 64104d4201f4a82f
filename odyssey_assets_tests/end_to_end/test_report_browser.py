"""The page of a run in a real browser: wide, as narrow as a phone, dark, on paper, without script, and sorted."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from odyssey_assets.compare.checks import CheckName
from odyssey_assets.compare.differences import Difference, DifferenceKind
from odyssey_assets.findings import Severity
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.report.document import run_document
from odyssey_assets.report.page import render_page
from odyssey_assets.sync.outcome import TableStatus
from odyssey_assets_tests.report.outcomes import CHANGED, check, facts, outcome, table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
DESKTOP, PHONE = (1280, 900), (390, 844)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with everything on it that can be wide: long keys, long words, every table."""
    long_key = Difference(DifferenceKind.CHANGED, {"id": "k" * 5_000, "<b>": "‮<script>alert(1)</script>"}, "weight")
    failed = check(CheckName.ROWS_EQUAL, *[long_key, CHANGED] * 30, detail="d" * 900)
    warned = check(CheckName.TAMPERING, replace(CHANGED, note="transaction 12"), severity=Severity.WARNING)
    counts = {"inserted": 1_234_567, "updated": 89, "deleted": 7, "bytes": 123_456_789}
    tables = [
        replace(table(each.name, check(CheckName.NULLS, table=each.name), **counts), source_rows=number)
        for number, each in enumerate(tables_in_order())
    ]
    tables[3] = replace(tables[3], checks=(failed, warned), status=TableStatus.DIFFERS)
    ended = outcome(*tables, problem="Integrity checks failed: " + "Vote fails rows_equal; " * 9)
    path = tmp_path_factory.mktemp("report") / "run.html"
    path.write_text(render_page(run_document(facts(), ended, show_values=True)), encoding="utf-8")
    return path.as_uri()


def opened(browser: Browser, address: str, size: tuple[int, int], **options: object) -> Page:
    """The page in a window of its own; whatever the browser complains about fails the test at the end."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
    page = context.new_page()
    page.on("console", lambda message: pytest.fail(f"the browser says: {message.text}"))
    page.on("pageerror", lambda error: pytest.fail(f"the script fails: {error}"))
    page.on("request", lambda request: request.url == address or pytest.fail(f"it asks for {request.url}"))
    page.goto(address)
    return page


def first_column(page: Page) -> list[str]:
    return page.locator("table.pinned tbody th").all_inner_texts()


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "light"), (PHONE, "dark")])
def test_the_page_never_scrolls_sideways(
    browser: Browser, report: str, size: tuple[int, int], scheme: str, tmp_path: Path
) -> None:
    page = opened(browser, report, size, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    page.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    outside = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((each) => !each.closest(".scroll") || each.matches(".scroll"))
            .filter((each) => each.getBoundingClientRect().right > window.innerWidth)
            .map((each) => each.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    page.context.close()


def test_a_phone_shows_the_verdict_without_scrolling_and_keeps_table_names_in_sight(
    browser: Browser, report: str
) -> None:
    page = opened(browser, report, PHONE)
    heading = page.locator("h1").bounding_box()
    assert heading is not None
    assert heading["y"] + heading["height"] < PHONE[1]
    assert float(page.evaluate("getComputedStyle(document.body).fontSize").removesuffix("px")) >= 15
    page.locator("table.pinned").evaluate("table => table.parentElement.scrollLeft = 400")
    name = page.locator("table.pinned tbody th").first.bounding_box()
    assert name is not None
    assert 0 <= name["x"] < PHONE[0]
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_told_from_its_ground(browser: Browser, report: str, scheme: str) -> None:
    page = opened(browser, report, DESKTOP, color_scheme=scheme)
    ratios = page.evaluate(CONTRASTS)
    assert len(ratios) > 100
    assert {text: ratio for text, ratio in ratios.items() if ratio < 4.5} == {}
    is_dark = sum(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")) < 200
    assert is_dark == (scheme == "dark")
    page.context.close()


def test_a_heading_sorts_by_number_and_back(browser: Browser, report: str) -> None:
    page = opened(browser, report, DESKTOP)
    before = first_column(page)
    heading = page.locator("table.pinned thead th", has_text="Rows SQLite")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert first_column(page) == before[::-1]
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert first_column(page) == before
    page.locator("table.pinned thead th", has_text="Checks").get_by_role("button").click()
    page.locator("table.pinned thead th", has_text="Checks").get_by_role("button").click()
    assert first_column(page)[0] == before[3]
    page.context.close()


def test_without_script_everything_is_there(browser: Browser, report: str) -> None:
    page = opened(browser, report, DESKTOP, java_script_enabled=False)
    assert page.locator("h1").inner_text().endswith("Not published: integrity would be broken")
    assert len(first_column(page)) == len(tables_in_order())
    assert page.locator("button").count() == 0
    page.locator("summary").click()
    assert page.get_by_text("PostgreSQL -5 of publication 7").first.is_visible()
    page.context.close()


def test_paper_shows_what_a_click_would(browser: Browser, report: str) -> None:
    page = opened(browser, report, DESKTOP, color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.get_by_text("PostgreSQL -5 of publication 7").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(page.pdf(prefer_css_page_size=True)) > 10_000
    page.context.close()


CONTRASTS = """() => {
    const light = (color) => {
        const parts = color.match(/[\\d.]+/g).slice(0, 3).map((each) => each / 255);
        const [r, g, b] = parts.map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        const color = getComputedStyle(element).backgroundColor;
        return color !== "rgba(0, 0, 0, 0)" || !element.parentElement ? color : ground(element.parentElement);
    };
    const found = {};
    for (const element of document.querySelectorAll("h1, h2, h3, p, dt, dd, th, td, span, summary")) {
        if (!element.textContent.trim()) continue;
        const [one, other] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
        const name = `${element.tagName}.${element.className} ${element.textContent.slice(0, 40)}`;
        found[name] = (one + 0.05) / (other + 0.05);
    }
    return found;
}"""
"""The contrast of every text with what is behind it, as WCAG counts it; 4.5 is what it asks of small text."""
