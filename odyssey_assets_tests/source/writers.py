"""Other processes at work on a SQLite file, for tests of snapshots."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from odyssey_assets_tests.source.conftest import Files


@contextmanager
def other_process(path: Path, script: str) -> Iterator[subprocess.Popen[str]]:
    """Another process with a connection ``c`` to the file; the block begins when the script prints a line."""
    code = f"import sqlite3, sys, time\nc = sqlite3.connect({str(path)!r}, isolation_level=None)\n{script}"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() != ""
            yield process
        finally:
            process.kill()


def simple_file(files: Files, *statements: str) -> Path:
    return files.with_statements("CREATE TABLE T (i INTEGER)", "INSERT INTO T VALUES (1)", *statements)
