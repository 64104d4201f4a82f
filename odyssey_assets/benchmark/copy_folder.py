"""The folder that the server writes its COPY files to.

Belongs here: making and removing it. Does not belong here: what is written (``limits``).
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def copy_folder() -> Iterator[Path]:
    """A folder that a server on this machine can write to under whichever account; others cannot list it."""
    folder = Path(tempfile.mkdtemp(prefix="odyssey-benchmark-"))
    folder.chmod(0o1733)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
