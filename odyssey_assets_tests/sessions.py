"""How many sessions a database has, looked at all the while something else goes on.

Belongs here: looking and counting. Does not belong here: how many there may be.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

SECONDS_BETWEEN_LOOKS = 0.01


class Sampler:
    """The largest numbers seen; ``most_at_work`` leaves out sessions that are in no transaction."""

    def __init__(self, uri: str) -> None:
        self.parts = urlsplit(uri)
        self.most = self.most_at_work = self.looks = 0
        self.is_over = threading.Event()

    def watch(self) -> None:
        database = self.parts.path.strip("/")
        with psycopg.connect(self.parts._replace(path="/postgres").geturl(), autocommit=True) as connection:
            while not self.is_over.wait(SECONDS_BETWEEN_LOOKS):
                ((all_of_them, at_work),) = connection.execute(
                    "SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity WHERE datname = %s",
                    [database],
                ).fetchall()
                self.looks += 1
                self.most, self.most_at_work = max(self.most, all_of_them), max(self.most_at_work, at_work)


@contextmanager
def watched_sessions(uri: str) -> Iterator[Sampler]:
    """Watch the sessions of the database of this URI, from another one of the same server."""
    sampler = Sampler(uri)
    thread = threading.Thread(target=sampler.watch)
    thread.start()
    try:
        yield sampler
    finally:
        sampler.is_over.set()
        thread.join()
