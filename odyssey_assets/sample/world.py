"""How many rows each table gets, and which of them belong together, fixed before any row is written.

Belongs here: row counts, ids that other rows refer to, distinct pairs. Does not belong here: values of other columns.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.sample.catalogues import ACHIEVEMENTS, BADGES, FEATURES, VILLAGES
from odyssey_assets.sample.dates import creation_moments
from odyssey_assets.sample.identifiers import Texts, new_ids

RowNumbers = NDArray[np.int64]

FIXED_ROWS = {
    "Village": len(VILLAGES),
    "Feature": len(FEATURES),
    "Badge": len(BADGES),
    "Achievement": len(ACHIEVEMENTS),
}
"""Catalogues: the same rows at every scale."""

ROWS_PER_SCALE = {
    "User": 35,
    "Account": 20,
    "AuthSession": 12,
    "VerificationToken": 4,
    "Feedback": 75,
    "Vote": 280,
    "FeedbackAIMetadata": 12,
    "AIUsageLog": 20,
    "RoadmapItem": 5,
    "_FeatureToRoadmapItem": 10,
    "_FeedbackToRoadmapItem": 20,
    "Panel": 3,
    "PanelMembership": 20,
    "Questionnaire": 3,
    "QuestionnaireResponse": 20,
    "Session": 4,
    "SessionRecording": 3,
    "_PanelToQuestionnaire": 4,
    "_SessionFacilitators": 6,
    "Notification": 90,
    "NotificationPreferences": 18,
    "EmailLog": 45,
    "UserPoints": 20,
    "UserBadge": 18,
    "UserAchievement": 10,
    "Leaderboard": 2,
    "PointTransaction": 60,
    "CollaborationSession": 3,
    "CollaborationComment": 12,
    "Event": 840,
    "AuditLog": 55,
    "HRISSync": 2,
    "HRISConflict": 3,
}
"""Rows at scale 1; together with the catalogues about 1,750."""

MINIMUM_ROWS = 2
"""One row with every optional value and one with none."""

MINIMUM_ROWS_OF = {"User": 6, "Feedback": 8, "CollaborationComment": 8}
"""Room for a self reference of every direction, and for enough pairs."""


def row_counts(version: int, scale: float) -> dict[str, int]:
    """Rows by table, of the tables that version has."""
    return {
        table.name: FIXED_ROWS.get(table.name)
        or max(MINIMUM_ROWS_OF.get(table.name, MINIMUM_ROWS), round(ROWS_PER_SCALE[table.name] * scale))
        for table in tables_in_order(version)
    }


def generator_for(seed: int, *purpose: str | int) -> np.random.Generator:
    """A source of randomness of its own for each purpose, so that no table depends on the others."""
    return np.random.default_rng([seed, zlib.crc32(repr(purpose).encode())])


@dataclass(frozen=True)
class World:
    """What all tables must agree on. Only what is asked for is made, and then kept."""

    seed: int
    counts: Mapping[str, int]
    _ids: dict[str, Texts] = field(default_factory=dict)
    _pairs: dict[str, tuple[RowNumbers, RowNumbers]] = field(default_factory=dict)

    def ids(self, table: str) -> Texts:
        """The ids of all rows of a table."""
        if table not in self._ids:
            self._ids[table] = self._all_ids(table)
        return self._ids[table]

    def pairs(self, table: str, left: str, right: str) -> tuple[RowNumbers, RowNumbers]:
        """For every row of ``table`` a row number of ``left`` and one of ``right``; no pair occurs twice."""
        if table not in self._pairs:
            self._pairs[table] = distinct_pairs(
                generator_for(self.seed, table, "pairs"), self.counts[table], self.counts[left], self.counts[right]
            )
        return self._pairs[table]

    def shuffled(self, table: str, parent: str) -> RowNumbers:
        """For every row of ``table`` a row number of ``parent``; none occurs twice."""
        order = generator_for(self.seed, table, "shuffled").permutation(self.counts[parent])
        return order[: self.counts[table]].astype(np.int64)

    def _all_ids(self, table: str) -> Texts:
        if table == "Village":
            return np.array([f"vlg-{number:03}" for number in range(1, len(VILLAGES) + 1)], dtype=object)
        if table == "Feature":
            return np.array([feature[0] for feature in FEATURES], dtype=object)
        total = self.counts[table]
        return new_ids(table, generator_for(self.seed, table, "ids"), creation_moments(0, total, total), 0)


def distinct_pairs(
    random: np.random.Generator, count: int, left_rows: int, right_rows: int
) -> tuple[RowNumbers, RowNumbers]:
    """``count`` different pairs in random order; some left rows occur far more often than others.

    Raises ValueError where there are not that many different pairs.
    """
    if count > left_rows * right_rows:
        raise ValueError(f"{left_rows} by {right_rows} rows do not make {count} different pairs")
    popularity = 1 / (np.arange(left_rows) + 10.0) ** 0.7
    share = np.floor(popularity / popularity.sum() * count).astype(np.int64)
    per_left = np.minimum(share, right_rows)
    while (missing := count - int(per_left.sum())) > 0:
        per_left[np.flatnonzero(per_left < right_rows)[:missing]] += 1
    left = np.repeat(np.arange(left_rows), per_left)
    nth = np.arange(count) - np.repeat(np.cumsum(per_left) - per_left, per_left)
    start = np.repeat(random.integers(0, right_rows, size=left_rows), per_left)
    right = (start + nth * _step_through(right_rows)) % right_rows
    order = random.permutation(count)
    popular_anywhere = random.permutation(left_rows)
    return popular_anywhere[left[order]], right[order]


def _step_through(rows: int) -> int:
    """A step that, taken ``rows`` times around a circle of ``rows`` places, visits each once."""
    step = max(1, int(rows * 0.618))
    while np.gcd(step, rows) != 1:
        step += 1
    return step
