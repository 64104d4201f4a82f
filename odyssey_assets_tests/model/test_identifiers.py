"""Quoting an identifier keeps every name what it is, in both databases."""

import sqlite3
from contextlib import closing

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odyssey_assets.model.identifiers import quoted

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("User", '"User"'), ('a"b', '"a""b"'), ('""', '""""""'), ("a b;--", '"a b;--"'), ("a'b", '"a\'b"'), ("", '""')],
)
def test_a_name_is_quoted(name: str, expected: str) -> None:
    assert quoted(name) == expected


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quoted("a\x00b")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES)
def test_any_name_comes_back_from_both_databases(database_uri: str, name: str) -> None:
    with closing(sqlite3.connect(":memory:")) as lite:
        assert lite.execute(f"SELECT 1 AS {quoted(name)}").description[0][0] == name
    with psycopg.connect(database_uri) as postgres:
        # psycopg reads a percent sign as a placeholder.
        described = postgres.execute(f"SELECT 1 AS {quoted(name)}".replace("%", "%%"), []).description
        assert described is not None
        assert described[0].name == name
