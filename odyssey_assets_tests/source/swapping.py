"""A live file and what is to be put in its place, for the tests of swapping.

Belongs here: the two and what is in them. Does not belong here: swapping.
"""

from pathlib import Path

from odyssey_assets_tests.source.conftest import Files
from odyssey_assets_tests.source.writers import other_process
from odyssey_assets_tests.statements import ask_sqlite

OLD = [(number,) for number in range(1, 52)]
NEW = [(-1,), (-2,)]


def new_file(folder: Path) -> Path:
    return Files(folder).with_statements("CREATE TABLE T (i INTEGER)", "INSERT INTO T VALUES (-1), (-2)", name="new.db")


def old_file(folder: Path, journal: str = "delete") -> Path:
    """Rows 1 to 51, of which with a write-ahead log 50 stand in it alone, as after a killed writer."""
    path = Files(folder).with_statements("CREATE TABLE T (i INTEGER)", "INSERT INTO T VALUES (1)", name="live.db")
    script = (
        f"c.execute('PRAGMA journal_mode = {journal}'); c.execute('PRAGMA wal_autocheckpoint = 0')\n"
        "c.executemany('INSERT INTO T VALUES (?)', [(i,) for i in range(2, 52)])\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with other_process(path, script):
        pass
    assert (path.with_name("live.db-wal").exists(), journal == "wal") in {(True, True), (False, False)}
    return path


def rows(path: Path) -> list[tuple[object, ...]]:
    return ask_sqlite(path, "SELECT i FROM T ORDER BY rowid")
