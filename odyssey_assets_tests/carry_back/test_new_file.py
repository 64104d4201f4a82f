"""The new file has its name only when it is finished, whatever happens before."""

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from odyssey_assets.carry_back.new_file import finish, unfinished_copy
from odyssey_assets.carry_back.run import carry_back
from odyssey_assets.errors import EXIT_UNREACHABLE, ConfigurationError
from odyssey_assets.progress import Phase
from odyssey_assets_tests.carry_back.way_back import WayBack, files_of
from odyssey_assets_tests.end_to_end.faults import small_disk

KILLED = """
# One line on its input is one attempt, forked where everything is imported already; its answer is the exit code.
import os, signal, sys
from pathlib import Path
from odyssey_assets.carry_back.request import CarryBackRequest
from odyssey_assets.carry_back.run import carry_back
from odyssey_assets.carry_back import run, rewrite
from odyssey_assets.target.url import parse_target_url

uri, base, new_file, scratch = sys.argv[1:]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def carry_back_and_die(moment):
    def on_progress(progress):
        if progress.phase == moment and progress.table in ("", "Vote"):
            die()

    if moment == "half-way":
        # Between two tables that are written: the first is in the copy, the second is not.
        write, written = rewrite._rewrite_table, []
        rewrite._rewrite_table = lambda *rest: (die() if written else written.append(1)) or write(*rest)
    elif moment == "rename":
        run.finish = die
    with carry_back(CarryBackRequest(parse_target_url(uri), Path(base), Path(new_file), Path(scratch)), on_progress):
        pass

for line in sys.stdin:
    child = os.fork()
    if not child:
        carry_back_and_die(line.strip())
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_a_killed_carry_back_leaves_no_file_under_the_name(pair: WayBack) -> None:
    pair.edit("""UPDATE "Vote" SET weight = 3; UPDATE "User" SET "displayName" = 'x'""")
    arguments = [pair.role_uri, str(pair.base), str(pair.new_file), str(pair.folder / "scratch")]
    command = [sys.executable, "-c", KILLED, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for moment in ("half-way", Phase.PROOF.value, "rename"):
            print(moment, file=process.stdin, flush=True)
            assert process.stdout.readline() == f"{-signal.SIGKILL}\n", moment
            assert not pair.new_file.exists(), moment
            left = files_of(pair.new_file.parent)
            assert left, moment
            assert all(path.name.startswith(".partial-") for path in left), moment
            with carry_back(pair.request()) as carried:
                assert carried.differences == 0
            assert files_of(pair.new_file.parent) == {pair.new_file}, moment
            pair.new_file.unlink()
        process.stdin.close()


def test_what_is_unfinished_goes_and_nothing_else(tmp_path: Path) -> None:
    base, new_file = tmp_path / "base.db", tmp_path / "new" / "file.db"
    base.write_bytes(b"SQLite")
    with unfinished_copy(base, new_file) as partial:
        partial.with_name(f"{partial.name}-wal").touch()
    assert files_of(tmp_path) == {base}


def test_the_finished_file_is_this_users_alone(tmp_path: Path) -> None:
    base, new_file = tmp_path / "base.db", tmp_path / "new" / "file.db"
    base.write_bytes(b"SQLite")
    base.chmod(0o644)
    with unfinished_copy(base, new_file) as partial:
        assert stat.S_IMODE(partial.stat().st_mode) == 0o600
        finish(partial, new_file)
    assert (new_file.read_bytes(), stat.S_IMODE(new_file.stat().st_mode)) == (b"SQLite", 0o600)
    assert files_of(tmp_path) == {base, new_file}


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    base = tmp_path / "base.db"
    base.write_bytes(b"SQLite")
    with pytest.raises(ConfigurationError), unfinished_copy(base, base / "new.db"):
        pass


@pytest.mark.parametrize("spare_bytes", [-(2**18), 2**17])
def test_a_full_disk_is_told(pair: WayBack, spare_bytes: int) -> None:
    """Full while the base is copied, and while rows are written into the copy."""
    pair.edit("""UPDATE "User" SET "bio" = repeat('x', 500000)""")
    with small_disk(pair.folder / "small", pair.base.stat().st_size + spare_bytes) as disk:
        refusal = pair.refused(new_file=disk / "odyssey.db")
    assert refusal.exit_status == EXIT_UNREACHABLE
    assert "no room" in refusal.message
