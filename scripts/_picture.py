"""The picture of the asset graph: every table with its name, its group and its state, without the page around it.

Belongs here: driving a browser for one picture. Does not belong here: judging what it shows (see the browser tests).
"""

import json
import shutil
import sys
from pathlib import Path

import click
from playwright.sync_api import Locator, Page, sync_playwright

from odyssey_assets.configuration import PROJECT_DIR, settings_from_environment
from odyssey_assets.model.domains import Domain
from odyssey_assets.processes import running_ui

WINDOW = {"width": 1300, "height": 4000}
"""Pixels; tall enough that the whole graph fits, and wide enough that it is drawn with names."""

MARGIN = 16
PIXELS_PER_POINT = 1.2
SETTLING_MILLISECONDS = 10_000

OPEN_GROUPS = "asset-graph-open-graph-nodes-global-__GLOBAL__"
"""Where Dagster's pages keep which groups are open."""


@click.command()
@click.option("--address", help="Of the UI; else the one that runs for this state folder.")
@click.option("--browser", default=shutil.which("chromium"), help="Chromium's program.")
@click.argument("file", type=click.Path(path_type=Path), default=PROJECT_DIR / "docs" / "images" / "asset-graph.png")
def picture(address: str | None, browser: str | None, file: Path) -> None:
    """Write the picture to FILE."""
    address = address or running_ui(settings_from_environment())
    if address is None:
        sys.exit("No UI runs; start one with ./scripts/dev.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        page = chromium.new_page(viewport=WINDOW, device_scale_factor=PIXELS_PER_POINT)
        show_graph(page, address)
        # The dots of the background are most of the file's bytes.
        page.add_style_tag(content="* { background-image: none !important }")
        page.screenshot(path=file, clip=frame_around(page.locator("svg foreignObject")))
        chromium.close()
    print(f"{file}: {file.stat().st_size / 1000:,.0f} kB")


def show_graph(page: Page, address: str) -> None:
    """The whole lineage with the groups of PostgreSQL's tables open and every state loaded."""
    # SQLite's side stays closed: it holds the same tables once more, and one line each to its twin.
    expanded = ",".join(f"global@global:{domain.value}" for domain in Domain)
    page.add_init_script(f"localStorage.setItem('{OPEN_GROUPS}', JSON.stringify({json.dumps({'expanded': expanded})}))")
    page.goto(f"{address}/asset-groups", wait_until="domcontentloaded")
    page.locator("foreignObject").get_by_text("UserAchievement").first.wait_for()
    page.wait_for_timeout(SETTLING_MILLISECONDS)


def frame_around(parts: Locator) -> dict[str, float]:
    """The smallest rectangle that holds them all, with a margin."""
    boxes = [box for box in (part.bounding_box() for part in parts.all()) if box]
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right = max(box["x"] + box["width"] for box in boxes)
    bottom = max(box["y"] + box["height"] for box in boxes)
    return {
        "x": left - MARGIN,
        "y": top - MARGIN,
        "width": right - left + 2 * MARGIN,
        "height": bottom - top + 2 * MARGIN,
    }


if __name__ == "__main__":
    picture()
