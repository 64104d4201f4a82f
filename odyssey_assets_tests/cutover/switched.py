"""A pair after the switch, made once and copied for each test, since a switch takes a while.

Belongs here: making and copying it. Does not belong here: what a test does with it.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from odyssey_assets.cutover.machine import cut_over
from odyssey_assets_tests.cutover.switching import cutover_request
from odyssey_assets_tests.statements import run_postgres, run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun, Template, copied


@contextmanager
def switched_template(template: Template, folder: Path) -> Iterator[Template]:
    """A template whose cut-over is finished and whose SQLite file is sealed."""
    with copied(template, folder) as pair:
        run_sqlite(pair.source, "PRAGMA journal_mode = WAL")
        cut_over(cutover_request(pair))
        yield Template(pair.source, urlsplit(pair.uri).path.strip("/"), template.server)


@contextmanager
def copy_of_switched(template: Template, folder: Path) -> Iterator[DualRun]:
    """A pair of the test's own, whose cut-over is about its own file."""
    with copied(template, folder) as pair:
        for name in ("backups", "certificates"):
            shutil.copytree(template.source.parent / name, folder / name)
        run_postgres(pair.uri, f"UPDATE odyssey_sync.cutover SET source_path = '{pair.source}'")
        yield pair
