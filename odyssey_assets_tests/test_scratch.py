"""Scratch folders: gone when the work ends, however it ends, and never taken from work that still goes on."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from odyssey_assets.scratch import remove_leftovers, scratch_folder

HOLD = """
import sys, time
from pathlib import Path
from odyssey_assets.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1]), "compare") as folder:
    (folder / "spilled").write_text("x")
    print("ready", flush=True)
    time.sleep(600)
"""


def test_the_folder_is_gone_at_the_end_also_after_an_error(tmp_path: Path) -> None:
    parent = tmp_path / "new" / "scratch"
    with scratch_folder(parent, "compare") as folder:
        (folder / "file").write_text("x")
        assert folder.stat().st_mode & 0o777 == parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ValueError, match="planted"), scratch_folder(parent, "compare"):
        raise ValueError("planted")
    assert list(parent.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_uses_is_not(tmp_path: Path) -> None:
    # Before there were locks, a folder had none.
    (tmp_path / "compare-old").mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (folder,) = (path for path in tmp_path.iterdir() if path.is_dir() and path.name != "compare-old")
        remove_leftovers(tmp_path)
        assert (folder / "spilled").read_text() == "x"
        assert not (tmp_path / "compare-old").exists()
        process.send_signal(signal.SIGKILL)
    assert folder.exists()
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_ever_ran_there_is_nothing_to_remove(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "never")
    assert not (tmp_path / "never").exists()
