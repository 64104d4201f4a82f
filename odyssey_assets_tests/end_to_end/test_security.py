"""SECURITY.md is true: what a run, its report and a backup leave, and with which rights, however open the umask is."""

import re
import stat
from pathlib import Path

import pytest

from odyssey_assets import __version__
from odyssey_assets.configuration import PROJECT_DIR
from odyssey_assets.report.store import REPORTS_KEPT
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.source.snapshot import SNAPSHOTS_KEPT
from odyssey_assets_tests.end_to_end.commands import ODYSSEY, run, surroundings

PAGE = (PROJECT_DIR / "SECURITY.md").read_text()
NUMBERS = {5: "five"}


def rights() -> dict[str, tuple[str | None, str | None]]:
    """By name in the state folder, the modes that the page promises for the folder and for the files in it."""
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if line.startswith("| `") and "<" not in cells[1]:
            folder, files = re.search(r"folder (\d+)", cells[3]), re.search(r"(?:files |^)(\d{4})", cells[3])
            modes = (folder[1] if folder else None, files[1] if files else None)
            found |= {name.rstrip("/"): modes for name in re.findall(r"`([^`]+)`", cells[1])}
    return found


def mode_of(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


@pytest.mark.slow
def test_what_commands_leave_is_listed_and_closed_as_promised(state_dir: Path, tmp_path: Path) -> None:
    source = write_sample(tmp_path / "odyssey.db", scale=0.1).path
    environment = surroundings(state_dir, {"ODYSSEY_SQLITE_PATH": str(source)})
    for arguments in ("migrate --tables Village", "verify --tables Village", "backup"):
        ended = run(["sh", "-c", f"umask 0; exec {ODYSSEY} {arguments}"], environment, tmp_path)
        assert ended.status == 0, ended.stderr
    promised = rights()
    left = {path.name: path for path in state_dir.iterdir()}
    assert set(left) - set(promised) == set()
    assert {"snapshots", "backups", "reports", "scratch", "dagster", "postgres.password"} <= set(left)
    for name, path in left.items():
        folder_mode, file_mode = promised[name]
        if folder_mode:
            assert (name, mode_of(path)) == (name, folder_mode)
        within = [each for each in path.rglob("*") if each.is_file()] if folder_mode else [path]
        if file_mode:
            assert {str(each): mode_of(each) for each in within} == {str(each): file_mode for each in within}
    for name in ("snapshots", "backups", "reports"):
        assert any(each.is_file() for each in left[name].rglob("*"))


def test_the_page_names_the_numbers_that_are_kept() -> None:
    assert f"the newest {NUMBERS[SNAPSHOTS_KEPT]}" in PAGE
    assert f"the newest {REPORTS_KEPT} reports" in PAGE


def test_the_version_is_semantic_and_the_changelog_knows_it(tmp_path: Path) -> None:
    ended = run([ODYSSEY, "--version"], surroundings(tmp_path), tmp_path)
    assert ended.stdout.split()[-1] == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert f"\n## {__version__}\n" in (PROJECT_DIR / "CHANGELOG.md").read_text()
    assert __version__ not in (PROJECT_DIR / "pyproject.toml").read_text().split("dependencies")[0]
