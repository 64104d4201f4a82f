"""A look at real servers: each trouble is made for real and seen, and what a role may not see is never a pass."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from odyssey_assets.errors import ConfigurationError, UnreachableError
from odyssey_assets.target import opening
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets.watch.judging import MEASURES, Verdict, judge, thresholds
from odyssey_assets.watch.look import Watched, as_json, from_json, keep_totals, last_totals, look
from odyssey_assets.watch.readings import Totals, since
from odyssey_assets.watch.statements import SlowQueries, install, slow_queries
from odyssey_assets.watch.telling import document, lines, sentence
from odyssey_assets_tests.statements import ask_postgres, run_postgres
from odyssey_assets_tests.waiting import wait_until_true

NOTHING_SLOW = SlowQueries(())


@pytest.fixture
def every_target(every_database_uri: str) -> TargetUrl:
    return parse_target_url(every_database_uri)


@contextmanager
def ordinary_role(target: TargetUrl, *grants: str) -> Iterator[TargetUrl]:
    """The same database as a role that may connect and no more, but for what is granted."""
    name = "watcher_" + ask_postgres(target.uri, "SELECT substr(md5(random()::text), 1, 8)")[0][0]
    run_postgres(target.uri, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    try:
        for grant in grants:
            run_postgres(target.uri, f"GRANT {grant} TO {name}")
        host = target.uri.partition("@")[2]
        yield parse_target_url(f"postgresql://{name}:secret@{host}")
    finally:
        run_postgres(target.uri, f"DROP OWNED BY {name}; DROP ROLE {name}")


def verdict(watched: Watched, name: str) -> Verdict:
    (found,) = (each for each in watched.verdicts if each.measure.name == name)
    return found


def test_every_number_is_there_and_every_measure_judged(every_target: TargetUrl) -> None:
    install(every_target)
    # A commit is counted a moment after it was told.
    wait_until_true(every_target.uri, "SELECT xact_commit > 0 FROM pg_stat_database WHERE datname = current_database()")
    watched = look(every_target, None, thresholds({}))
    assert [each.measure for each in watched.verdicts] == list(MEASURES)
    reading = watched.reading
    assert 1 <= reading.connections <= reading.connections_limit
    assert reading.connections_limit < int(ask_postgres(every_target.uri, "SHOW max_connections")[0][0])
    assert reading.database_bytes > 1_000_000
    assert reading.totals.commits > 0
    assert {each.measure.name for each in watched.verdicts if each.passed is False} <= {"cache_hits"}


def test_an_old_transaction_and_a_session_that_waits_for_it_are_seen(every_target: TargetUrl) -> None:
    run_postgres(every_target.uri, "CREATE TABLE things (id int)")
    with psycopg.connect(every_target.uri) as holder, psycopg.connect(every_target.uri) as waiter:
        holder.execute("LOCK TABLE things")
        pid = waiter.info.backend_pid
        waiting = threading.Thread(target=waiter.execute, args=("SELECT * FROM things",))
        waiting.start()
        waits = f"SELECT waitstart FROM pg_locks WHERE pid = {pid} AND waitstart IS NOT NULL"
        while not ask_postgres(every_target.uri, waits):
            pass
        limits = thresholds({"ODYSSEY_WATCH_LOCK_SECONDS": "0", "ODYSSEY_WATCH_TRANSACTION_SECONDS": "0"})
        watched = look(every_target, None, limits)
        assert watched.reading.oldest_transaction_pid == holder.info.backend_pid
        assert watched.reading.waiting_for_locks == (pid,)
        holder.rollback()
        waiting.join()
    assert verdict(watched, "lock_waits").passed is False
    assert verdict(watched, "oldest_transaction").passed is False
    assert f"session {pid}" in sentence(verdict(watched, "lock_waits"))
    assert not watched.ok


def test_dead_rows_are_seen(every_target: TargetUrl) -> None:
    run_postgres(
        every_target.uri,
        "CREATE TABLE things (id int) WITH (autovacuum_enabled = false); "
        "INSERT INTO things SELECT generate_series(1, 20000); ",
    )
    # Counts travel at a session's end, up to PostgreSQL 14 by a process of their own; those of ANALYZE must come last.
    counted = "FROM pg_stat_all_tables WHERE relname = 'things'"
    run_postgres(every_target.uri, "DELETE FROM things WHERE id <= 10000")
    wait_until_true(every_target.uri, f"SELECT n_tup_del = 10000 {counted}")
    run_postgres(every_target.uri, "ANALYZE things")
    wait_until_true(every_target.uri, f"SELECT analyze_count = 1 {counted}")
    dead = verdict(look(every_target, None, thresholds({})), "dead_rows")
    assert dead.value == pytest.approx(50)
    assert (dead.passed, dead.detail) == (False, "10,000 in things")


def test_without_rights_what_is_hidden_has_not_passed(every_target: TargetUrl) -> None:
    install(every_target)
    with ordinary_role(every_target) as watcher:
        watched = look(watcher, None, thresholds({}))
        hidden = {each.measure.name for each in watched.verdicts if each.passed is None}
        assert hidden == {"oldest_transaction", "slow_queries"}
        assert not watched.ok
        assert "not visible: the role sees its own sessions only" in "\n".join(lines(watched))
        assert document(watched)["ok"] is False
    with ordinary_role(every_target, "pg_monitor") as watcher:
        assert [each for each in look(watcher, None, thresholds({})).verdicts if each.passed is None] == []


def test_slow_queries_are_the_applications_and_without_values(every_target: TargetUrl) -> None:
    assert slow_queries(every_target).statements is None
    install(every_target)
    with psycopg.connect(every_target.uri, autocommit=True) as connection:
        for _ in range(3):
            connection.execute("SELECT 'very secret', pg_sleep(0.02)")
            with connection.cursor().copy("COPY (SELECT pg_sleep(0.03)) TO STDOUT") as rows:
                list(rows)
    slow = slow_queries(every_target)
    assert slow.statements is not None
    slowest = slow.statements[0]
    assert (slowest.text, slowest.calls) == ("SELECT $1, pg_sleep($2)", 3)
    assert slowest.mean_milliseconds >= 20
    assert not any(each.text.startswith("COPY") for each in slow.statements)
    watched = look(every_target, None, thresholds({"ODYSSEY_WATCH_SLOW_MS": "10"}))
    assert verdict(watched, "slow_queries").passed is False


def test_a_missing_extension_is_told_and_no_pass(every_target: TargetUrl) -> None:
    slow = verdict(look(every_target, None, thresholds({})), "slow_queries")
    assert slow.passed is None
    assert "odyssey slow-queries --install" in slow.hidden
    off = verdict(look(every_target, None, thresholds({"ODYSSEY_WATCH_SLOW_MS": "off"})), "slow_queries")
    assert (off.passed, off.threshold) == (True, None)
    assert "not judged" in sentence(off)


def test_deadlocks_and_rollbacks_count_from_the_last_look() -> None:
    before = Totals("then", 1.0, 1000, 10, 2, 1, 90_000, 10_000, 0)
    now = Totals("then", 2.0, 1100, 110, 3, 1, 95_000, 25_000, 0)
    recent = since(before, now)
    assert (recent.commits, recent.rollbacks, recent.deadlocks, recent.broken_sessions) == (100, 100, 1, 0)
    assert since(Totals("other", 1.0, 1, 0, 0, 0, 0, 0, 0), now) == now
    assert since(None, now) == now


def test_what_crossed_its_threshold_is_told_with_advice(every_target: TargetUrl) -> None:
    reading = look(every_target, None, thresholds({})).reading
    recent = Totals("then", 2.0, 100, 100, 1, 2, 5_000, 15_000, 0)
    verdicts = {each.measure.name: each for each in judge(reading, recent, NOTHING_SLOW, thresholds({}))}
    failed = {name for name, each in verdicts.items() if each.passed is False}
    assert failed == {"cache_hits", "deadlocks", "rollbacks", "broken_sessions"}
    assert sentence(verdicts["cache_hits"]).startswith("25 % (20,000 blocks asked for), at least 90 % expected. Raise")


@pytest.mark.parametrize("text", ["many", "-1", "inf", "nan"])
def test_a_threshold_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="ODYSSEY_WATCH_DEADLOCKS must be a number"):
        thresholds({"ODYSSEY_WATCH_DEADLOCKS": text})


def test_the_last_look_is_kept_for_each_database(tmp_path: Path, database_uri: str) -> None:
    target, other = parse_target_url(database_uri), parse_target_url("postgresql://elsewhere/db")
    totals = Totals("then", 1.0, 1, 2, 3, 4, 5, 6, 7)
    keep_totals(tmp_path / "watch", target, totals)
    assert last_totals(tmp_path / "watch", target) == totals == from_json(as_json(totals))
    assert last_totals(tmp_path / "watch", other) is None
    assert from_json({"since": "an older form"}) is None


def test_a_server_that_is_not_there_is_an_error_and_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "TRIES", 1)
    with pytest.raises(UnreachableError):
        look(parse_target_url("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"), None, thresholds({}))
