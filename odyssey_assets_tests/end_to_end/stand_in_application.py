"""An application that stands in for Odyssey Feedback: a process of its own that writes where DATABASE_URL says.

It writes as Prisma does: one transaction for each request, to SQLite with a write-ahead log, enforced foreign keys and
a busy timeout. A line on its output for each request says that it was committed, or why not; only what it said is
promised to its users.

Belongs here: the process, starting and ending it, and what it promised. Does not belong here: moving its data.
"""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg

INSERT = 'INSERT INTO "Village" ("id", "name", "createdAt", "updatedAt") VALUES (?, ?, ?, ?)'
UPDATE = 'UPDATE "Village" SET "name" = ?, "updatedAt" = ? WHERE "id" = ?'
DELETE = 'DELETE FROM "Village" WHERE "id" = ?'

_PAUSE_SECONDS = 0.01
_BUSY_SECONDS = 0.2


@dataclass
class Promises:
    """What its users were told: villages by id with their names, and every refusal."""

    villages: dict[str, str] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    requests: int = 0

    def hear(self, line: str) -> None:
        said: dict[str, Any] = json.loads(line)
        if "refused" in said:
            self.refusals.append(said["refused"])
            return
        self.requests += 1
        self.villages |= said["written"]
        for identity in said["deleted"]:
            self.villages.pop(identity, None)


@dataclass
class Application:
    """One start of it."""

    process: "subprocess.Popen[str]"
    promises: Promises

    def served(self, requests: int) -> None:
        """Wait until it has served so many requests more."""
        wanted = self.promises.requests + requests
        while self.promises.requests < wanted:
            assert self.process.poll() is None, "the stand-in application has ended"
            time.sleep(_PAUSE_SECONDS)

    def refused(self, words: str) -> None:
        """Wait until it was refused with these words."""
        while not any(words in each for each in self.promises.refusals):
            assert self.process.poll() is None, "the stand-in application has ended"
            time.sleep(_PAUSE_SECONDS)


@contextmanager
def running(database_url: str, name: str, promises: Promises, *, holds: bool = False) -> Iterator[Application]:
    """It runs during the block and ends in order, with everything said that it had to say.

    ``name`` begins the ids of its rows; ``holds`` makes it stay within its first transaction until the end.
    """
    command = [sys.executable, "-u", __file__, database_url, name, "holds" if holds else "goes on"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if holds:
            assert process.stdout.readline() == "at it\n"
        listening = Thread(target=_listen, args=(process, promises), daemon=True)
        listening.start()
        try:
            yield Application(process, promises)
        finally:
            process.stdin.close()
            process.wait()
            listening.join()
    assert process.returncode == 0


def villages_in_sqlite(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute('SELECT "id", "name" FROM "Village" WHERE "id" LIKE \'app-%\'').fetchall())


def villages_in_postgresql(uri: str) -> dict[str, str]:
    with psycopg.connect(uri) as connection:
        return dict(connection.execute('SELECT "id", "name" FROM "Village" WHERE "id" LIKE \'app-%\'').fetchall())


def _listen(process: "subprocess.Popen[str]", promises: Promises) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        promises.hear(line)


def _main(database_url: str, name: str, manner: str) -> None:
    stopped: list[bool] = []
    Thread(target=lambda: (sys.stdin.read(), stopped.append(True)), daemon=True).start()
    is_sqlite = database_url.startswith("file:")
    number = 0
    while not stopped:
        number += 1
        try:
            said = (
                _in_sqlite(database_url.removeprefix("file:"), name, number, manner, stopped)
                if is_sqlite
                else (_in_postgresql(database_url, name, number))
            )
        except (sqlite3.Error, psycopg.Error) as error:
            said = {"refused": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), flush=True)
        time.sleep(_PAUSE_SECONDS)


def _request(name: str, number: int) -> tuple[dict[str, str], list[str]]:
    """Each request makes a village; every second one renames the one before, every fifth takes one away."""
    written = {f"app-{name}-{number}": f"village {number}"}
    if number % 2 == 0:
        written[f"app-{name}-{number - 1}"] = f"renamed by {number}"
    deleted = [f"app-{name}-{number - 3}"] if number % 5 == 0 else []
    return written, deleted


def _in_sqlite(path: str, name: str, number: int, manner: str, stopped: list[bool]) -> dict[str, Any]:
    written, deleted = _request(name, number)
    now = int(time.time() * 1000)
    with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=_BUSY_SECONDS, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("BEGIN IMMEDIATE")
        for identity, text in written.items():
            if not db.execute(UPDATE, (text, now, identity)).rowcount:
                db.execute(INSERT, (identity, text, now, now))
        for identity in deleted:
            db.execute(DELETE, (identity,))
        if manner == "holds":
            print("at it", flush=True)
            while not stopped:
                time.sleep(_PAUSE_SECONDS)
        db.execute("COMMIT")
    return {"written": written, "deleted": deleted}


def _in_postgresql(uri: str, name: str, number: int) -> dict[str, Any]:
    written, deleted = _request(name, number)
    with psycopg.connect(uri, application_name="odyssey-web") as db:
        for identity, text in written.items():
            if not db.execute(_numbered(UPDATE, "now()"), (text, identity)).rowcount:
                db.execute(_numbered(INSERT, "now()"), (identity, text))
        for identity in deleted:
            db.execute(DELETE.replace("?", "%s"), (identity,))
    return {"written": written, "deleted": deleted}


def _numbered(statement: str, now: str) -> Any:
    """The same for psycopg, its moments taken from the server."""
    if statement is INSERT:
        return statement.replace("?, ?, ?, ?", f"%s, %s, {now}, {now}")
    return statement.replace('"updatedAt" = ?', f'"updatedAt" = {now}').replace("?", "%s")


if __name__ == "__main__":
    _main(*sys.argv[1:])
