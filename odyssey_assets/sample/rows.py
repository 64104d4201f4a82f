"""Rows of every table, ready to be inserted: what the domain modules give, completed and in the file's own types.

Belongs here: which function makes which table's rows, what all tables have in common (ids, creation dates, enums,
flags, NULLs, byte formats of dates). Does not belong here: values particular to one table, or the file.
"""

from collections.abc import Callable, Iterator

import numpy as np
from sqlalchemy import Boolean, Column, Table
from sqlalchemy.dialects.postgresql import ENUM, TIMESTAMP

from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.sample import (
    collaboration,
    feedback,
    gamification,
    notifications,
    operations,
    people,
    research,
    roadmap,
)
from odyssey_assets.sample.chunk import Chunk, Columns, Values
from odyssey_assets.sample.dates import EXTREME_MOMENTS, DateForm, Moments, stored_moments
from odyssey_assets.sample.identifiers import new_ids
from odyssey_assets.sample.world import World, generator_for

Row = tuple[object, ...]

CHUNK_ROWS = 20_000
"""Rows made at once. From 2,000 to 100,000 the speed was the same; the memory grew by 20 MB."""

NULL_SHARE = 0.35
FLAG_SHARE = 0.15
BACKFILLED_SHARE = 0.03
"""Rows whose date SQLite filled in, among columns that default to CURRENT_TIMESTAMP."""
EXTREME_SHARE = 0.002
"""Dates long ago or far ahead."""

REFERRED_TABLES = {key.column.table.name for table in tables_in_order() for key in table.foreign_keys} | {"HRISSync"}
"""Their ids are needed by other rows; the last is meant by a column without a foreign key."""

COLUMNS_OF: dict[str, Callable[[Chunk], Columns]] = {
    "Village": people.village,
    "User": people.user,
    "Account": people.account,
    "AuthSession": people.auth_session,
    "VerificationToken": people.verification_token,
    "Feature": feedback.feature,
    "Feedback": feedback.feedback,
    "Vote": feedback.vote,
    "FeedbackAIMetadata": feedback.feedback_ai_metadata,
    "AIUsageLog": feedback.ai_usage_log,
    "RoadmapItem": roadmap.roadmap_item,
    "_FeatureToRoadmapItem": roadmap.feature_to_roadmap_item,
    "_FeedbackToRoadmapItem": roadmap.feedback_to_roadmap_item,
    "Panel": research.panel,
    "PanelMembership": research.panel_membership,
    "Questionnaire": research.questionnaire,
    "QuestionnaireResponse": research.questionnaire_response,
    "Session": research.session,
    "SessionRecording": research.session_recording,
    "_PanelToQuestionnaire": research.panel_to_questionnaire,
    "_SessionFacilitators": research.session_facilitators,
    "Notification": notifications.notification,
    "NotificationPreferences": notifications.notification_preferences,
    "EmailLog": notifications.email_log,
    "UserPoints": gamification.user_points,
    "Badge": gamification.badge,
    "UserBadge": gamification.user_badge,
    "Achievement": gamification.achievement,
    "UserAchievement": gamification.user_achievement,
    "Leaderboard": gamification.leaderboard,
    "PointTransaction": gamification.point_transaction,
    "CollaborationSession": collaboration.collaboration_session,
    "CollaborationComment": collaboration.collaboration_comment,
    "Event": operations.event,
    "AuditLog": operations.audit_log,
    "HRISSync": operations.hris_sync,
    "HRISConflict": operations.hris_conflict,
}


def rows_of(table: Table, world: World, dates: DateForm) -> Iterator[Iterator[Row]]:
    """All rows of a table in chunks, values in the order of the table's columns."""
    total = world.counts[table.name]
    for first in range(0, total, CHUNK_ROWS):
        size = min(CHUNK_ROWS, total - first)
        random = generator_for(world.seed, table.name, "rows", first)
        rows = Chunk(table.name, first, size, total, world, random)
        given = COLUMNS_OF[table.name](rows)
        stored = [_stored(column, _values(column, given, rows), rows, dates) for column in table.columns]
        yield zip(*stored, strict=True)


def _values(column: Column[object], given: Columns, rows: Chunk) -> Values:
    """What the domain module gives for a column, else what columns of that name or type have everywhere."""
    if column.name in given:
        return given[column.name]
    if column.name == "id":
        if rows.table in REFERRED_TABLES:
            return rows.world.ids(rows.table)[rows.first : rows.first + rows.size]
        return new_ids(rows.table, rows.random, rows.created, rows.first)
    if column.name in ("createdAt", "updatedAt"):
        return rows.created
    match column.type:
        case ENUM():
            return rows.mostly_first(column.type.enums)
        case Boolean():
            return rows.chance(FLAG_SHARE)
    raise KeyError(f"no sample values for {rows.table}.{column.name}")


def _stored(column: Column[object], values: Values, rows: Chunk, dates: DateForm) -> list[object]:
    absent = rows.absent(NULL_SHARE) if column.nullable else None
    if isinstance(column.type, TIMESTAMP):
        moments = _with_extremes(values, rows)
        if absent is not None:
            moments[absent] = np.datetime64("NaT", "ms")
        is_filled_by_default = column.server_default is not None
        return stored_moments(moments, dates, rows.chance(BACKFILLED_SHARE if is_filled_by_default else 0.0))
    if absent is not None:
        values = values.astype(object)
        values[absent] = None
    stored: list[object] = values.tolist()
    return stored


def _with_extremes(moments: Moments, rows: Chunk) -> Moments:
    extreme = rows.chance(EXTREME_SHARE)
    chosen = moments.copy()
    chosen[extreme] = EXTREME_MOMENTS[rows.random.integers(0, len(EXTREME_MOMENTS), size=int(extreme.sum()))]
    return chosen
