"""The text of messages: what, how many rows, since when, which snapshot, where, what to do; never a value."""

from dataclasses import replace

import pytest

from odyssey_assets.alerts.observation import Change, Kind, Message, Notice, Observation
from odyssey_assets.alerts.wording import MOST_NOTICES, text_of, without_values
from odyssey_assets.compare.checks import CheckName
from odyssey_assets.findings import Severity
from odyssey_assets_tests.alerts.observing import NOON, green, red

UI = "https://odyssey.example.org"


def notice(observation: Observation, change: Change = Change.BROKEN) -> Notice:
    return Notice(change, observation, NOON, "20270115T080000-1", (observation.severity,))


def body(*notices: Notice, ui_url: str | None = UI) -> str:
    return text_of(Message(1, NOON + 60, notices), notices, ui_url).body


def test_a_red_check_as_it_is_sent() -> None:
    broken = notice(replace(red(rows=1234), detail="1,000 missing, 0 extra, 234 changed rows"))
    text = text_of(Message(1, NOON + 60, (broken,)), (broken,), UI)
    assert text.title == "Odyssey: check Vote.rows_equal failed in sync run-a"
    assert text.severity is Severity.ERROR
    assert text.body == (
        "ERROR check Vote.rows_equal (1,234 rows): 1,000 missing, 0 extra, 234 changed rows\n"
        "  since 2027-01-15 08:00:00 UTC, snapshot 20270115T080000-1\n"
        "  What to do: See the check for keys and columns; odyssey sync brings PostgreSQL in step. If it comes back, "
        "something else writes to PostgreSQL.\n"
        "\n"
        "Run of sync: https://odyssey.example.org/runs/run-a\n"
        "\n"
        "Written 2027-01-15 08:01:00 UTC."
    )


def test_a_recovery_as_it_is_sent() -> None:
    fine = notice(green(at=30), Change.RECOVERED)
    text = text_of(Message(1, NOON + 60, (fine,)), (fine,), None)
    assert text.title == "Odyssey: check Vote.rows_equal fine again in sync run-b"
    assert text.severity is None
    assert text.body == (
        "FINE AGAIN check Vote.rows_equal\n"
        "  was broken since 2027-01-15 08:00:00 UTC, snapshot 20270115T080000-1, until 2027-01-15 08:00:30 UTC\n"
        "\n"
        "Run of sync: run-b\n"
        "\n"
        "Written 2027-01-15 08:01:00 UTC."
    )


def test_the_title_counts_and_the_worst_comes_first() -> None:
    notices = (
        notice(green("C.nulls"), Change.RECOVERED),
        notice(red("A.nulls", severity=Severity.WARNING)),
        notice(red("B.nulls")),
    )
    text = text_of(Message(1, NOON, notices), notices, UI)
    assert text.title == "Odyssey: 2 checks failed, check C.nulls fine again in sync run-a"
    assert [line.split()[0] for line in text.body.splitlines() if ".nulls" in line] == ["ERROR", "WARNING", "FINE"]


def test_the_title_names_one_of_a_kind_and_counts_more() -> None:
    job = red("verification", kind=Kind.JOB)
    for seen, title in (
        ([job, red("A.nulls")], "check A.nulls and sync failed in sync run-a"),
        ([job, red("A.nulls"), red("B.nulls")], "2 checks and sync failed in sync run-a"),
        ([red(name, run=None, kind=Kind.OVERDUE) for name in ("User", "Vote")], "2 overdue tables failed"),
    ):
        notices = tuple(notice(each) for each in seen)
        assert text_of(Message(1, NOON, notices), notices, UI).title == f"Odyssey: {title}"


def test_a_reminder_and_another_cause_say_so() -> None:
    still = notice(red(), Change.STILL)
    assert text_of(Message(1, NOON, (still,)), (still,), UI).title == "Odyssey: check Vote.rows_equal still failing"
    assert body(still).startswith("STILL ERROR check Vote.rows_equal")
    assert body(notice(red(), Change.CHANGED)).startswith("NOW OTHERWISE ERROR check Vote.rows_equal")


def test_a_job_tells_its_own_hint() -> None:
    refused = replace(red("publication", kind=Kind.JOB), detail="the run was refused", hint="Give --allow-deletes.")
    assert body(notice(refused)).splitlines()[:3] == [
        "ERROR sync: the run was refused",
        "  since 2027-01-15 08:00:00 UTC, snapshot 20270115T080000-1",
        "  What to do: Give --allow-deletes.",
    ]


@pytest.mark.parametrize("kind", [Kind.OVERDUE, Kind.DELIVERY, Kind.JOB])
def test_whatever_breaks_there_is_something_to_do(kind: Kind) -> None:
    assert "What to do: See " in body(notice(red("thing", kind=kind)))


@pytest.mark.parametrize("check", [*CheckName, "made_up"])
def test_whatever_check_breaks_there_is_something_to_do(check: str) -> None:
    assert "What to do: " in body(notice(red(f"Vote.{check}")))


def test_many_notices_are_cut_and_counted() -> None:
    notices = tuple(notice(red(f"T{place:02}.nulls")) for place in range(MOST_NOTICES + 30))
    said = body(*notices)
    assert said.count("What to do") == MOST_NOTICES
    assert "... and 30 more." in said
    assert len(said) < 4000


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('violates "User_email_key": Key (email)=(a@b.c) already exists.', "Key (email)=(...) already"),
        ("Key (a, b)=(x (1), y) is missing.", "Key (a, b)=(...) is"),
        ("User.email (id='it\\'s a@b.c'): empty", "(id=...): empty"),
        ('invalid input value for enum "Role": "a@b.c"', 'invalid input value for enum "Role"'),
        ("PostgreSQL at postgresql://user:a@b.c@host/db is gone", "postgresql://...@"),
        ('token="a@b.c" is odd', "token=... is odd"),
    ],
)
def test_values_and_passwords_in_a_databases_own_words_are_taken_out(said: str, told: str) -> None:
    assert told in without_values(said)
    problem = replace(red(), detail=said, hint=said)
    assert "a@b" not in body(notice(problem))
    assert "x (1)" not in body(notice(problem))


def test_ordinary_sentences_stay_as_they_are() -> None:
    said = "Integrity checks failed: Vote fails rows_equal; User fails nulls. Key (x) at postgresql://host/db (5 rows)."
    assert without_values(said) == said
