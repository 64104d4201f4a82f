"""Sample rows of the gamification domain: points, badges, achievements, leaderboards."""

import numpy as np

from odyssey_assets.sample.catalogues import ACHIEVEMENTS, BADGE_TIERS, BADGES
from odyssey_assets.sample.chunk import Chunk, Columns
from odyssey_assets.sample.documents import joined


def user_points(rows: Chunk) -> Columns:
    parts = {f"{kind}Points": rows.integers(0, 900) for kind in ("feedback", "voting", "research", "quality")}
    total = np.sum(list(parts.values()), axis=0)
    level = total // 100 + 1
    return {
        **parts,
        "userId": rows.only_child_of("User"),
        "totalPoints": total,
        "weeklyPoints": total // 9,
        "monthlyPoints": total // 3,
        "lastWeekReset": rows.later(7),
        "lastMonthReset": rows.later(30),
        "level": level,
        "nextLevelThreshold": level * 100,
    }


def badge(rows: Chunk) -> Columns:
    chosen = [BADGES[number] for number in rows.numbers]
    rank = np.array([BADGE_TIERS.index(tier) for _, tier in chosen])
    return {
        "key": np.array([f"{category}_{tier}" for category, tier in chosen], dtype=object),
        "name": np.array([f"{category} · {tier}".title() for category, tier in chosen], dtype=object),
        "description": rows.sentence(),
        "tier": np.array([tier for _, tier in chosen], dtype=object),
        "category": np.array([category for category, _ in chosen], dtype=object),
        "iconUrl": joined("/icons/", rows.tokens(6), ".svg"),
        "requirement": 10 * 5**rank,
        "points": 50 * (rank + 1),
    }


def user_badge(rows: Chunk) -> Columns:
    user_ids, badge_ids = rows.pair("User", "Badge")
    return {"userId": user_ids, "badgeId": badge_ids, "progress": rows.integers(0, 100), "earnedAt": rows.later(100)}


def achievement(rows: Chunk) -> Columns:
    chosen = [ACHIEVEMENTS[number] for number in rows.numbers]
    return {
        "key": np.array([key for key, _, _, _ in chosen], dtype=object),
        "name": np.array([name for _, name, _, _ in chosen], dtype=object),
        "description": rows.sentence(),
        "category": np.array([category for _, _, category, _ in chosen], dtype=object),
        "iconUrl": joined("/icons/", rows.tokens(6), ".svg"),
        "requirement": np.array([requirement for _, _, _, requirement in chosen], dtype=object),
        "points": rows.integers(1, 10) * 25,
        "hidden": np.array([category == "hidden" for _, _, category, _ in chosen]),
    }


def user_achievement(rows: Chunk) -> Columns:
    user_ids, achievement_ids = rows.pair("User", "Achievement")
    return {
        "userId": user_ids,
        "achievementId": achievement_ids,
        "progress": joined('{"days":', rows.number_texts(0, 30), "}"),
        "earnedAt": rows.later(100),
    }


def leaderboard(rows: Chunk) -> Columns:
    return {
        "period": rows.mostly_first(("weekly", "monthly", "all_time")),
        "category": rows.mostly_first(("overall", "feedback", "voting")),
        "rankings": joined(
            '[{"userId":"', rows.parent("User"), '","points":', rows.number_texts(-5, 5000), ',"rank":1}]'
        ),
        "periodStart": rows.created.astype("datetime64[W]").astype("datetime64[ms]"),
        "periodEnd": (rows.created.astype("datetime64[W]") + np.timedelta64(1, "W")).astype("datetime64[ms]"),
    }


def point_transaction(rows: Chunk) -> Columns:
    return {
        "userId": rows.parent("User"),
        "points": rows.integers(-5, 50),
        "category": rows.mostly_first(("voting", "feedback", "bonus")),
        "action": rows.mostly_first(("vote", "submit", "merge")),
        "resourceId": rows.parent("Feedback"),
        "resourceType": rows.constant("feedback"),
        "metadata": rows.details(),
    }
