"""The Dagster UI in a real browser: the graph, an asset, a run, a failed check, a click, and the end of it all."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from odyssey_assets.compare.checks import CheckName
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.target.embedded import ensure_running
from odyssey_assets_tests.conftest import FAST_SETTINGS, state_folder
from odyssey_assets_tests.end_to_end.commands import ODYSSEY, Ended, run, surroundings
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.sessions import watched_sessions
from odyssey_assets_tests.statements import ask_postgres, run_postgres
from odyssey_assets_tests.waiting import wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
GROUPS = (
    "collaboration",
    "feedback",
    "gamification",
    "notifications",
    "operations",
    "people",
    "research",
    "roadmap",
    "sqlite",
)
TABLES = 37
WINDOW = {"width": 1600, "height": 4000}
WAIT_MILLISECONDS = 60_000
EXPANSION_TRIES = 10
EXPANSION_MILLISECONDS = 3_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc"),
]


@dataclass(frozen=True)
class Ui:
    """A running ``odyssey dev``."""

    process: subprocess.Popen[bytes]
    address: str
    environment: dict[str, str]
    folder: Path
    source: Path
    target_uri: str

    def odyssey(self, *arguments: str) -> Ended:
        return run([ODYSSEY, *arguments, "--json"], self.environment, self.folder)


@contextmanager
def started_ui(folder: Path) -> Iterator[Ui]:
    source = write_sample(folder / "odyssey.db").path
    with state_folder() as state_dir, (folder / "dev.log").open("wb") as log, socket.socket() as probe:
        target_uri = ensure_running(state_dir, FAST_SETTINGS).uri_of("odyssey")
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = surroundings(state_dir, {"ODYSSEY_SQLITE_PATH": str(source)})
        command = [sys.executable, "-m", "odyssey_assets", "dev", "--port", str(port)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=folder
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until(lambda: f"is at {address}" in (folder / "dev.log").read_text(), process)
            yield Ui(process, address, environment, folder, source, target_uri)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(30)


@contextmanager
def browser_page(folder: Path) -> Iterator[Page]:
    """A page in a large window; what it showed when something failed is kept in the folder."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport=WINDOW)
        page.set_default_timeout(WAIT_MILLISECONDS)
        expect.set_options(timeout=WAIT_MILLISECONDS)
        try:
            yield page
        except BaseException:
            page.screenshot(path=folder / "failed.png")
            raise
        finally:
            browser.close()


def descendants(pid: int) -> set[int]:
    """The processes that a process started, and theirs."""
    children: dict[int, set[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), set()).add(int(stat.parent.name))
    found: set[int] = set()
    open_ends = [pid]
    while open_ends:
        new = children.get(open_ends.pop(), set()) - found
        found |= new
        open_ends.extend(new)
    return found


def the_graph_shows_groups_and_tables(page: Page, ui: Ui) -> None:
    page.goto(f"{ui.address}/asset-groups", wait_until="domcontentloaded")
    for group in GROUPS:
        expect(page.get_by_text(group, exact=True).first).to_be_attached()
    tables = page.locator("foreignObject")
    expect(tables.first).to_be_visible()
    expect(tables.get_by_text("UserAchievement", exact=True)).to_have_count(0)
    for _ in range(EXPANSION_TRIES):
        # A key pressed before the graph is laid out is lost.
        page.keyboard.press("Alt+e")
        page.wait_for_timeout(EXPANSION_MILLISECONDS)
        if tables.get_by_text("UserAchievement", exact=True).count():
            break
    for table in ("Vote", "User", "UserAchievement", "odyssey_sqlite"):
        expect(tables.get_by_text(table, exact=True).first).to_be_visible()


def the_asset_page_shows_rows_and_checks(page: Page, ui: Ui) -> None:
    page.goto(f"{ui.address}/assets/Vote", wait_until="domcontentloaded")
    expect(page.get_by_text("One user's vote for one piece of feedback")).to_be_visible()
    expect(page.get_by_text("280", exact=True).first).to_be_visible()
    expect(page.get_by_text("timestamp(3) without time zone").first).to_be_visible()
    page.goto(f"{ui.address}/assets/Vote?view=checks", wait_until="domcontentloaded")
    for check in CheckName:
        expect(page.get_by_text(check.value, exact=True).first).to_be_attached()
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(len(CheckName))


def the_run_page_shows_success(page: Page, ui: Ui, address: str) -> None:
    assert address.startswith(ui.address)
    page.goto(address, wait_until="domcontentloaded")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    expect(page.get_by_text(f"{TABLES * len(CheckName)} checks").first).to_be_visible()


def a_planted_difference_is_seen(page: Page, ui: Ui) -> None:
    ((key,),) = ask_postgres(ui.target_uri, 'SELECT min(id) FROM "Vote"')
    run_postgres(ui.target_uri, f"""UPDATE "Vote" SET weight = weight + 1 WHERE id = '{key}'""")
    assert ui.odyssey("verify", "--tables", "Vote").status == 1
    page.goto(f"{ui.address}/assets/Vote?view=checks&checkDetail=rows_equal", wait_until="domcontentloaded")
    expect(page.get_by_text("0 missing, 0 extra, 1 changed rows").first).to_be_visible()
    expect(page.get_by_text(f"id={key}").first).to_be_visible()
    expect(page.get_by_role("cell", name="weight").first).to_be_visible()


def one_click_materializes_a_table(page: Page, ui: Ui) -> None:
    page.goto(f"{ui.address}/assets/HRISSync", wait_until="domcontentloaded")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_text("View", exact=True).click()
    expect(page.get_by_text("1 asset", exact=True).or_(page.get_by_text("HRISSync", exact=True)).first).to_be_visible()
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()


def a_signal_ends_everything(ui: Ui) -> None:
    started = descendants(ui.process.pid)
    assert len(started) >= 2
    ui.process.send_signal(signal.SIGTERM)
    assert ui.process.wait(30) == 0
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(ui.address.rsplit(":", 1)[1]))) != 0
    assert not (Path(ui.environment["ODYSSEY_STATE_DIR"]) / "ui-address").exists()


def test_a_migration_is_followed_in_the_browser(tmp_path: Path) -> None:
    """One test, for each step stands on the one before it and a UI takes long to start."""
    with started_ui(tmp_path) as ui, browser_page(tmp_path) as page:
        migrated = ui.odyssey("migrate")
        assert migrated.status == 0, migrated.stderr
        assert differences(ui.source, ui.target_uri) == []
        with watched_sessions(ui.target_uri) as sessions:
            the_graph_shows_groups_and_tables(page, ui)
            the_asset_page_shows_rows_and_checks(page, ui)
        assert (sessions.looks > 0, sessions.most) == (True, 0), "looking at pages opens no connection to the target"
        the_run_page_shows_success(page, ui, migrated.document["ui"])
        a_planted_difference_is_seen(page, ui)
        one_click_materializes_a_table(page, ui)
        a_signal_ends_everything(ui)
        password = ui.target_uri.split("@")[0].rsplit(":", 1)[1]
        assert password not in (tmp_path / "dev.log").read_text()
