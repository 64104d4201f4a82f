"""Ids that refer to another table without a foreign key; nothing keeps them right on either side."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SoftReference:
    """``is_list`` marks a JSON list of ids instead of one id."""

    table: str
    column: str
    parent: str
    is_list: bool = False


SOFT_REFERENCES: tuple[SoftReference, ...] = (
    SoftReference("AuditLog", "userId", "User"),
    SoftReference("EmailLog", "userId", "User"),
    SoftReference("HRISConflict", "syncId", "HRISSync"),
    SoftReference("AIUsageLog", "userId", "User"),
    SoftReference("AIUsageLog", "feedbackId", "Feedback"),
    SoftReference("FeedbackAIMetadata", "feedbackId", "Feedback"),
    SoftReference("Feedback", "moderatedBy", "User"),
    SoftReference("CollaborationComment", "authorId", "User"),
    SoftReference("CollaborationComment", "feedbackId", "Feedback"),
    SoftReference("SessionRecording", "recordedBy", "User"),
    SoftReference("RoadmapItem", "featureIds", "Feature", is_list=True),
    SoftReference("RoadmapItem", "feedbackIds", "Feedback", is_list=True),
    SoftReference("Questionnaire", "panelIds", "Panel", is_list=True),
    SoftReference("Session", "participantIds", "User", is_list=True),
    SoftReference("Session", "facilitatorIds", "User", is_list=True),
)
