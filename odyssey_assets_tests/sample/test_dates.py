"""The byte formats of dates, asserted whole, and creation dates that only go forward."""

import numpy as np
import pytest

from odyssey_assets.sample.dates import FIRST_MOMENT, LAST_MOMENT, DateForm, creation_moments, stored_moments

MOMENTS = np.array(
    ["2025-10-10T09:00:00.000", "1969-12-31T23:59:59.999", "NaT", "2025-10-10T09:00:00.007", "9999-12-31T23:59:59.999"],
    dtype="datetime64[ms]",
)
BACKFILLED = np.array([False, False, False, True, False])


@pytest.mark.parametrize(
    ("form", "stored"),
    [
        (DateForm.INTEGER, [1760086800000, -1, None, "2025-10-10 09:00:00", 253402300799999]),
        (
            DateForm.ISO,
            [
                "2025-10-10T09:00:00.000+00:00",
                "1969-12-31T23:59:59.999+00:00",
                None,
                "2025-10-10 09:00:00",
                "9999-12-31T23:59:59.999+00:00",
            ],
        ),
    ],
)
def test_each_form_is_written_as_prisma_writes_it(form: DateForm, stored: list[object]) -> None:
    assert stored_moments(MOMENTS, form, BACKFILLED) == stored


def test_null_stays_null_where_the_row_was_backfilled() -> None:
    nothing = np.array(["NaT"], dtype="datetime64[ms]")
    assert stored_moments(nothing, DateForm.INTEGER, np.array([True])) == [None]


def test_rows_are_created_in_order_and_chunks_meet() -> None:
    whole = creation_moments(0, 1_000, 1_000)
    assert (np.diff(whole) > np.timedelta64(0, "ms")).all()
    assert whole[0] == FIRST_MOMENT
    assert whole[-1] < LAST_MOMENT
    np.testing.assert_array_equal(
        np.concatenate([creation_moments(0, 400, 1_000), creation_moments(400, 600, 1_000)]), whole
    )
