"""What is measured: a way to bring rows across or to check them, and what it reports of itself.

Belongs here: the shapes. Does not belong here: the contenders (``contenders``), or running them (``race``).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """One run: the file to bring across and the database to bring it to.

    ``uri`` names an empty database, or for contenders that read one that holds the file's rows already.
    ``copy_folder`` holds every table as a binary COPY file, where the server can read it.
    """

    sqlite: Path
    uri: str = field(repr=False)
    folder: Path
    copy_folder: Path


@dataclass(frozen=True)
class Measure:
    """One line of the table. ``against`` is the line its ratio is taken to."""

    name: str
    title: str
    against: str


Run = Callable[[Task], Mapping[str, float]]


@dataclass(frozen=True)
class Contender:
    """``run`` gives seconds by the name of a measure.

    ``largest_rows`` is what it is given at most, its time on more being extrapolated in proportion.
    ``unavailable`` gives the reason why it cannot take part here, or None.
    """

    name: str
    measures: tuple[Measure, ...]
    run: Run
    needs_rows: bool = False
    largest_rows: int | None = None
    unavailable: Callable[[], str | None] = lambda: None


@contextmanager
def clocked(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the wall time of the block to ``seconds[name]``."""
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
