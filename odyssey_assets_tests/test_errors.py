"""Errors carry a sentence, a next step, where it was, and the exit status of the contract."""

import pytest

from odyssey_assets import errors
from odyssey_assets.errors import (
    ConfigurationError,
    FindingsError,
    IntegrityError,
    InterruptedRunError,
    OdysseyError,
    RefusedError,
    TerminatedRunError,
    UnreachableError,
)
from odyssey_assets.findings import Finding, Severity


@pytest.mark.parametrize(
    ("kind", "exit_status"),
    [
        (OdysseyError, 1),
        (IntegrityError, 1),
        (FindingsError, 1),
        (ConfigurationError, 2),
        (RefusedError, 3),
        (UnreachableError, 4),
        (InterruptedRunError, 130),
        (TerminatedRunError, 143),
    ],
)
def test_each_error_has_the_exit_status_of_the_contract(kind: type[OdysseyError], exit_status: int) -> None:
    assert issubclass(kind, OdysseyError)
    assert kind.exit_status == exit_status


def test_every_error_is_of_one_tree() -> None:
    raised = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert len(raised) == 8
    assert all(issubclass(each, OdysseyError) for each in raised)


def test_an_error_carries_its_facts() -> None:
    error = IntegrityError("It differs.", hint="Look.", table="User", column="bio", key={"id": "u1"})
    assert str(error) == "It differs. Look."
    assert (error.message, error.hint) == ("It differs.", "Look.")
    assert (error.table, error.column, error.key) == ("User", "bio", {"id": "u1"})


def test_an_error_may_have_only_a_message() -> None:
    error = ConfigurationError("Wrong.")
    assert str(error) == "Wrong."
    assert (error.hint, error.table, error.column, error.key) == ("", None, None, None)


def findings(errors: int, warnings: int = 0) -> list[Finding]:
    return [
        *(Finding(Severity.WARNING, "k", f"W{at}", detail="is odd") for at in range(warnings)),
        *(Finding(Severity.ERROR, "k", f"E{at}", detail="is wrong") for at in range(errors)),
    ]


def test_findings_are_all_kept_and_the_first_errors_told() -> None:
    found = findings(errors=7, warnings=2)
    error = FindingsError(found)
    assert error.findings == tuple(found)
    assert error.message == (
        "This database cannot be carried as it is. "
        "E0: is wrong. E1: is wrong. E2: is wrong. E3: is wrong. E4: is wrong. ... and 2 more."
    )
    assert "Nothing was changed" in error.hint


def test_as_many_findings_as_are_shown_leave_none_over() -> None:
    assert FindingsError(findings(errors=2), shown=2).message.endswith("E0: is wrong. E1: is wrong.")
