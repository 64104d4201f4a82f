"""A swap killed before every line of it: either file is whole, and a second attempt works.

Belongs here: kills. Does not belong here: what a swap does and refuses (``test_swap``).
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from odyssey_assets.source.swap import swap_in
from odyssey_assets_tests.source.swapping import NEW, OLD, new_file, old_file, rows

KILLING = """
import json, os, shutil, signal, sys
from pathlib import Path
import odyssey_assets.source.sole_use as sole_use
import odyssey_assets.source.swap as swap

folder = Path(sys.argv[1])
watched = {sole_use.__file__, swap.__file__}
sole_use.openers = lambda _: ()
os.fsync = lambda _: None
number = 0
while True:
    number += 1
    case = folder / str(number)
    shutil.copytree(folder / "before", case)
    child = os.fork()
    if child == 0:
        left = number

        def watch(frame, event, argument):
            global left
            if frame.f_code.co_filename not in watched:
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return watch

        sys.settrace(watch)
        swap.swap_in(case / "new.db", case / "live.db", label="restore")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status == 0:
        break
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
print(json.dumps(number))
"""


@pytest.fixture(params=["delete", "wal", "damaged"])
def killed(request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    """Folders in which a swap was killed, each before another line of the code."""
    before = tmp_path / "before"
    before.mkdir()
    live = old_file(before, "delete" if request.param == "delete" else "wal")
    if request.param == "damaged":
        live.write_bytes(b"")
    new_file(before)
    done = subprocess.run(
        [sys.executable, "-c", KILLING, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    count = json.loads(done.stdout)
    assert count > 60
    return [tmp_path / str(number) for number in range(1, count)]


@pytest.mark.usefixtures("nobody_is_seen")
def test_killed_before_any_line_either_file_is_whole_and_a_second_attempt_works(killed: list[Path]) -> None:
    seen = set()
    for case in killed:
        live = case / "live.db"
        is_damaged = (case.parent / "before" / "live.db").stat().st_size == 0
        assert live.exists(), case
        if not is_damaged or live.stat().st_size:
            shutil.copytree(case, case.with_name(f"{case.name}-opened"))
            found = rows(case.with_name(f"{case.name}-opened") / "live.db")
            assert found in (OLD, NEW), case
            seen.add(found == NEW)
        logs = [path.read_bytes() for path in case.glob("*-wal")]
        if is_damaged:
            assert (case.parent / "before" / "live.db-wal").read_bytes() in logs, case
        swapped = swap_in(case / "new.db", live, label="restore")
        assert rows(live) == NEW, case
        assert not [path for path in case.iterdir() if path.name.startswith(".")], case
        kept = [path for path in case.glob("live.db.before-*") if not path.name.endswith(("-wal", "-shm", "-journal"))]
        assert swapped.kept in kept
        if not is_damaged:
            assert any(rows(path) == OLD for path in kept), case
            assert len(kept) <= 2, case
    assert True in seen
