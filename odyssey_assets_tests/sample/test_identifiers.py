"""Identifiers have the application's layout and do not repeat."""

import re

import numpy as np
import pytest

from odyssey_assets.sample.dates import creation_moments
from odyssey_assets.sample.identifiers import new_ids, tokens

ROWS = 20_000


@pytest.mark.parametrize(
    ("table", "layout"),
    [
        ("Vote", r"c[0-9a-z]{24}"),
        ("User", r"usr_[0-9A-HJKMNP-TV-Z]{26}"),
        ("Feedback", r"fb_[0-9A-HJKMNP-TV-Z]{26}"),
        ("Session", r"ses_[0-9A-HJKMNP-TV-Z]{26}"),
    ],
)
def test_ids_have_their_layout_are_unique_and_sort_by_time(table: str, layout: str) -> None:
    ids = new_ids(table, np.random.default_rng(1), creation_moments(0, ROWS, ROWS), 0).tolist()
    assert all(re.fullmatch(layout, each) for each in ids)
    assert len(set(ids)) == ROWS
    assert ids == sorted(ids)


def test_the_time_in_an_id_can_be_read_back() -> None:
    created = creation_moments(5, 1, 10)
    (cuid,) = new_ids("Vote", np.random.default_rng(1), created, 5)
    assert int(cuid[1:9], 36) == int(created[0].astype(np.int64))
    assert int(cuid[9:13], 36) == 5


def test_tokens_have_the_length_asked_for() -> None:
    made = tokens(np.random.default_rng(1), 100, 32).tolist()
    assert {len(token) for token in made} == {32}
    assert len(set(made)) == 100
