"""The checks that ask one side alone: schema, soft references, date forms."""

from dataclasses import replace

from odyssey_assets.compare.checks import CheckName, CheckResult, check_schema, check_source
from odyssey_assets.compare.source_facts import SourceFacts
from odyssey_assets.findings import Finding, Severity
from odyssey_assets_tests.compare.test_checks import EQUAL

WARNING = Finding(Severity.WARNING, "missing_index", "T", detail="expected an index, found none")
ERROR = Finding(Severity.ERROR, "changed_type", "T", "at", detail="milliseconds are rounded away")
FACTS = SourceFacts("T", 9, {"at": ("integer",)}, {"at": ("integer",)}, 9, ("userId",), ())
DANGLING = Finding(Severity.WARNING, "dangling", "T", "userId", {"id": "a"}, 3, "rows that name a User: 3")


def checked(facts: SourceFacts) -> dict[CheckName, CheckResult]:
    return {check.name: check for check in check_source(facts)}


def test_a_schema_as_it_should_be_passes() -> None:
    check = check_schema(EQUAL, ())
    assert (check.passed, check.differences, check.detail) == (True, 0, "as Prisma makes it")


def test_differences_of_the_schema_warn_and_fail_where_one_would_change_values() -> None:
    warned, failed = check_schema(EQUAL, (WARNING,)), check_schema(EQUAL, (WARNING, ERROR))
    assert (warned.passed, warned.severity, warned.detail) == (False, Severity.WARNING, WARNING.detail)
    assert (failed.passed, failed.severity, failed.differences) == (False, Severity.ERROR, 2)
    assert failed.detail == "expected an index, found none; at: milliseconds are rounded away"


def test_a_sound_source_passes_and_says_what_was_looked_at() -> None:
    checks = checked(FACTS)
    assert all((check.passed, check.severity, check.looked_at_rows) == (True, Severity.WARNING, 9)
               for check in checks.values())  # fmt: skip
    assert checks[CheckName.SOFT_REFERENCES].detail == "every id leads to a row: userId"
    assert checks[CheckName.DATE_ENCODING].detail == "1 columns, dates as integer"


def test_dangling_ids_are_counted_and_the_first_row_is_named() -> None:
    check = checked(replace(FACTS, dangling=(DANGLING,)))[CheckName.SOFT_REFERENCES]
    assert (check.passed, check.differences) == (False, 3)
    assert check.detail == "T.userId (id='a'): rows that name a User: 3"


def test_a_new_form_of_date_fails_and_a_first_date_or_a_form_that_went_does_not() -> None:
    both, none = {"at": ("integer", "text")}, {"at": ()}
    check = checked(replace(FACTS, date_forms=both))[CheckName.DATE_ENCODING]
    assert (check.passed, check.differences) == (False, 1)
    assert check.detail == "at has dates as text, before it had integer"
    for equal in (
        replace(FACTS, date_forms=both, forms_before=both),
        replace(FACTS, forms_before=both),
        replace(FACTS, date_forms=both, forms_before=none),
        replace(FACTS, date_forms=both, forms_before=None),
    ):
        assert checked(equal)[CheckName.DATE_ENCODING].passed


def test_what_was_not_looked_at_is_said() -> None:
    checks = checked(replace(FACTS, date_rows=0, dates_basis="carried over", references_basis="not read"))
    assert checks[CheckName.DATE_ENCODING].detail == "1 columns, dates as integer (carried over)"
    assert checks[CheckName.DATE_ENCODING].looked_at_rows == 0
    assert checks[CheckName.SOFT_REFERENCES].detail.endswith("(not read)")
