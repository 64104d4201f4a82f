"""A finding is one line for a person."""

import pytest

from odyssey_assets.findings import Finding, Severity


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (Finding(Severity.ERROR, "k", detail="nothing is there"), "nothing is there"),
        (Finding(Severity.ERROR, "k", "User", detail="is unknown"), "User: is unknown"),
        (Finding(Severity.WARNING, "k", "User", "bio", detail="is long"), "User.bio: is long"),
        (
            Finding(Severity.ERROR, "k", "Vote", "weight", {"userId": "u'1", "n": 2}, 1, "is no number"),
            'Vote.weight (userId="u\'1", n=2): is no number',
        ),
        (Finding(Severity.ERROR, "k", "T", key={}, detail="has no key"), "T: has no key"),
    ],
)
def test_the_place_comes_before_the_detail(finding: Finding, sentence: str) -> None:
    assert finding.sentence() == sentence


def test_severities_are_the_words_of_the_report() -> None:
    assert [str(each) for each in Severity] == ["error", "warning"]
