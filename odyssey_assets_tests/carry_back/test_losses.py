"""What PostgreSQL can hold and SQLite cannot is named, or becomes the nearest value where that was allowed."""

import pytest

from odyssey_assets.carry_back.run import carry_back
from odyssey_assets.errors import EXIT_INTEGRITY
from odyssey_assets_tests.carry_back.way_back import WayBack, cells_of
from odyssey_assets_tests.oracle import differences

FINE_DATES = """
    ALTER TABLE "User" ALTER "updatedAt" TYPE timestamptz(6) USING "updatedAt" AT TIME ZONE 'UTC';
    UPDATE "User" SET "updatedAt" = '2026-01-02 03:04:05.678999+00' WHERE id = 'User-1';
    UPDATE "User" SET "updatedAt" = '1969-12-31 23:59:59.999999+00' WHERE id = 'User-2'
"""


@pytest.mark.parametrize(
    ("edit", "table", "column", "key"),
    [
        (
            """UPDATE "Vote" SET weight = 'NaN' WHERE id = 'Vote-1'""", "Vote", "weight", "Vote-1",
        ),
        (
            """UPDATE "Vote" SET weight = '-0' WHERE id = 'Vote-2'""", "Vote", "weight", "Vote-2",
        ),
        (
            """UPDATE "User" SET "updatedAt" = 'infinity' WHERE id = 'User-1'""", "User", "updatedAt", "User-1",
        ),
        (
            """UPDATE "User" SET "updatedAt" = '-infinity' WHERE id = 'User-3'""", "User", "updatedAt", "User-3",
        ),
        (
            """UPDATE "User" SET "updatedAt" = '294270-01-01' WHERE id = 'User-1'""", "User", "updatedAt", "User-1",
        ),
        (
            FINE_DATES, "User", "updatedAt", "User-1",
        ),
    ],
)  # fmt: skip
def test_a_value_that_sqlite_cannot_hold_is_named(pair: WayBack, edit: str, table: str, column: str, key: str) -> None:
    pair.edit(edit)
    refusal = pair.refused()
    assert (refusal.exit_status, refusal.table, refusal.column) == (EXIT_INTEGRITY, table, column)
    assert refusal.key == {"id": key}
    assert key in refusal.message


def test_all_that_cannot_be_held_is_named_at_once(pair: WayBack) -> None:
    pair.edit(
        """UPDATE "Vote" SET weight = 'NaN', "decayedWeight" = '-0'; UPDATE "User" SET "createdAt" = 'infinity'"""
    )
    said = pair.refused().message
    assert [each in said for each in ("Vote.weight", "Vote.decayedWeight", "User.createdAt")] == [True] * 3


def test_the_edges_that_sqlite_can_hold_are_carried(pair: WayBack) -> None:
    pair.edit("""
        UPDATE "Vote" SET weight = 'Infinity', "decayedWeight" = -5e-324 WHERE id = 'Vote-1';
        UPDATE "Vote" SET weight = '-Infinity', "decayedWeight" = 1.7976931348623157e308 WHERE id = 'Vote-2';
        UPDATE "User" SET "updatedAt" = '4714-11-24 00:00:00 BC', "createdAt" = '1970-01-20' WHERE id = 'User-1';
        UPDATE "User" SET "updatedAt" = '294247-01-10 04:00:54.775', "createdAt" = '12345-01-01' WHERE id = 'User-2'
    """)
    pair.carry_back()


def test_allowed_columns_become_what_sqlite_can_hold(pair: WayBack) -> None:
    pair.edit(FINE_DATES + """; UPDATE "Vote" SET weight = '-0'""")
    with carry_back(pair.request(allowed_losses=frozenset({"User.updatedAt", "Vote.weight"}))):
        pass
    assert len(differences(pair.new_file, pair.uri)) == 6
    users = {cells["id"][1]: cells["updatedAt"] for cells in cells_of(pair.new_file, "User").values()}
    assert users[b"User-1"] == ("integer", 1767323045678)
    assert users[b"User-2"] == ("integer", -1)
    assert {cells["weight"] for cells in cells_of(pair.new_file, "Vote").values()} == {("real", 0.0)}
