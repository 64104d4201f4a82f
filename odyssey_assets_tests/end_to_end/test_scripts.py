"""The commands of a clean clone, typed by a newcomer who stands somewhere else.

The virtual environment is a new one that sees this one's packages, so that nothing is downloaded and the scripts'
own installation is exercised all the same.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from odyssey_assets.configuration import PROJECT_DIR
from odyssey_assets_tests.conftest import open_folder
from odyssey_assets_tests.end_to_end.commands import OURS, Ended, run

pytestmark = pytest.mark.slow
NOBODY = 65534
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
INTERPRETERS = (sys.executable, str(Path(sys.base_prefix) / "bin" / VERSION), f"/usr/bin/{VERSION}")


@dataclass(frozen=True)
class Newcomer:
    """A clone, a home and a user; None is whoever runs the tests."""

    clone: Path
    home: Path
    user: int | None

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith((*OURS, "PYTHON", "VIRTUAL"))}
        venv = self.home / "venv"
        return kept | {"HOME": str(self.home), "ODYSSEY_VENV": str(venv), "PATH": f"{os.defpath}:/usr/sbin"}

    def types(self, command: str, *arguments: str) -> Ended:
        return run([command, *arguments], self.environment, self.home, self.user)


def tracked_files() -> list[str]:
    git = shutil.which("git")
    listed = git and subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    if not listed or listed.returncode:
        pytest.skip("this is not a git checkout")
    return [name for name in listed.stdout.split("\0") if name and (PROJECT_DIR / name).is_file()]


def interpreter_for(user: int | None) -> str:
    """A Python of this version that the user may run."""
    for candidate in INTERPRETERS:
        command = [candidate, "-c", "import venv, ensurepip"]
        try:
            ran = subprocess.run(command, user=user, group=user, capture_output=True, check=False, cwd="/")
        except (FileNotFoundError, PermissionError):
            continue
        if ran.returncode == 0:
            return candidate
    pytest.skip(f"no {VERSION} that user {user} may run")


@pytest.fixture(
    params=[
        pytest.param(None, id="whoever runs the tests"),
        pytest.param(
            NOBODY,
            id="a normal user",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user"),
        ),
    ]
)
def newcomer(request: pytest.FixtureRequest) -> Iterator[Newcomer]:
    user: int | None = request.param
    with open_folder() as folder:
        clone, home = folder / "clone", folder / "home"
        home.mkdir()
        for name in tracked_files():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT_DIR / name, clone / name)
        make_environment(home / "venv", interpreter_for(user))
        if user is not None:
            for path in (*clone.rglob("*"), *home.rglob("*"), clone, home):
                os.chown(path, user, user, follow_symlinks=False)
        newcomer = Newcomer(clone, home, user)
        yield newcomer
        odyssey = home / "venv" / "bin" / "odyssey"
        if odyssey.exists():
            environment = newcomer.environment | {"ODYSSEY_STATE_DIR": str(clone / ".odyssey")}
            run([str(odyssey), "server", "stop"], environment, home, user)


def make_environment(venv: Path, interpreter: str) -> None:
    # Where there is a pip to be seen, a second one need not be unpacked.
    options = ["--without-pip"] if find_spec("pip") else []
    subprocess.run([interpreter, "-m", "venv", *options, venv], check=True, cwd="/")
    (site,) = (venv / "lib").glob("python*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "tests-environment.pth").write_text("\n".join(here))


def test_migrate_works_in_a_clean_clone_and_again(newcomer: Newcomer) -> None:
    migrate = str(newcomer.clone / "scripts" / "migrate")
    first = newcomer.types(migrate, "--tables", "Village", "--json")
    assert first.status == 0, first.stderr
    assert first.document["ok"] is True
    assert "Setting up" in first.stderr
    assert "wrote a sample of" in first.stderr
    assert (newcomer.clone / ".odyssey" / "sample" / "odyssey.db").exists()
    again = newcomer.types(migrate, "--tables", "Village", "--json")
    assert again.status == 0, again.stderr
    assert "Setting up" not in again.stderr
    assert {table["status"] for table in again.document["tables"]} == {"unchanged"}


def test_a_python_that_is_too_old_or_missing_is_said_so() -> None:
    with open_folder() as folder:
        for name in ("_environment", "migrate"):
            (folder / "scripts").mkdir(exist_ok=True)
            shutil.copy2(PROJECT_DIR / "scripts" / name, folder / "scripts" / name)
        for name in ("requirements.lock", "pyproject.toml"):
            (folder / name).write_text("")
        tools = folder / "tools"
        tools.mkdir()
        for name in ("bash", "env", "cat", "cksum", "dirname", "mkdir", "flock", "rm"):
            if path := shutil.which(name):
                (tools / name).symlink_to(path)
        (tools / "python3").write_text("#!/bin/sh\nexit 1\n")
        (tools / "python3").chmod(0o755)
        ended = run([str(folder / "scripts" / "migrate")], {"PATH": str(tools)}, folder)
        assert ended.status == 2
        assert "Odyssey needs Python 3.11, 3.12 or 3.13" in ended.stderr
        assert not (folder / ".venv").exists()
