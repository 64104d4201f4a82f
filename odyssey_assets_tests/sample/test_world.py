"""Row counts always leave room for the pairs that are asked of them, and pairs are really distinct."""

import numpy as np
import pytest

from odyssey_assets.model.schema import ALL_VERSIONS, NEWEST_VERSION, tables_in_order
from odyssey_assets.sample.world import distinct_pairs, generator_for, row_counts

PAIRED = {
    "Vote": ("Feedback", "User"),
    "PanelMembership": ("Panel", "User"),
    "UserBadge": ("User", "Badge"),
    "UserAchievement": ("User", "Achievement"),
    "_FeatureToRoadmapItem": ("Feature", "RoadmapItem"),
    "_FeedbackToRoadmapItem": ("Feedback", "RoadmapItem"),
    "_PanelToQuestionnaire": ("Panel", "Questionnaire"),
    "_SessionFacilitators": ("Session", "User"),
}
ONLY_CHILDREN = {"FeedbackAIMetadata": "Feedback", "UserPoints": "User", "NotificationPreferences": "User"}


@pytest.mark.parametrize(("count", "left_rows", "right_rows"), [(1, 1, 1), (48, 8, 6), (30, 10, 3), (5_000, 90, 600)])
def test_no_pair_occurs_twice(count: int, left_rows: int, right_rows: int) -> None:
    left, right = distinct_pairs(generator_for(1, "test"), count, left_rows, right_rows)
    pairs = set(zip(left.tolist(), right.tolist(), strict=True))
    assert len(pairs) == count
    assert {row for row, _ in pairs} <= set(range(left_rows))
    assert {row for _, row in pairs} <= set(range(right_rows))


def test_some_left_rows_are_far_more_popular_than_others() -> None:
    left, _ = distinct_pairs(generator_for(1, "test"), 50_000, 1_000, 5_000)
    per_row = np.bincount(left, minlength=1_000)
    assert per_row.max() > 5 * np.median(per_row)


def test_more_pairs_than_there_are_cannot_be_had() -> None:
    with pytest.raises(ValueError, match="2 by 3 rows do not make 7 different pairs"):
        distinct_pairs(generator_for(1, "test"), 7, 2, 3)


def test_counts_leave_room_for_every_pair_at_every_scale() -> None:
    for scale in np.geomspace(0.001, 5_000, 2_000):
        counts = row_counts(NEWEST_VERSION, float(scale))
        for table, (left, right) in PAIRED.items():
            assert counts[table] <= counts[left] * counts[right], f"{table} at {scale}"
        for table, parent in ONLY_CHILDREN.items():
            assert counts[table] <= counts[parent], f"{table} at {scale}"


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_a_version_has_counts_for_its_own_tables_only(version: int) -> None:
    assert set(row_counts(version, 1.0)) == {table.name for table in tables_in_order(version)}


def test_each_purpose_has_randomness_of_its_own() -> None:
    first = generator_for(1, "Vote", "ids").integers(0, 2**62)
    assert generator_for(1, "Vote", "ids").integers(0, 2**62) == first
    assert generator_for(1, "Vote", "rows").integers(0, 2**62) != first
    assert generator_for(2, "Vote", "ids").integers(0, 2**62) != first
