"""PostgreSQL enums of the application, labels in Prisma's order (the order matters: PostgreSQL sorts by it)."""

from sqlalchemy.dialects.postgresql import ENUM

FEATURE_STATUS = ENUM(
    "idea",
    "discovery",
    "shaping",
    "in_progress",
    "released",
    "generally_available",
    "deprecated",
    name="FeatureStatus",
    create_type=False,
)
FEEDBACK_STATE = ENUM("new", "triaged", "merged", "in_roadmap", "closed", name="FeedbackState", create_type=False)
MODERATION_STATUS = ENUM(
    "auto_pending",
    "pending_review",
    "approved",
    "rejected",
    "needs_info",
    name="ModerationStatus",
    create_type=False,
)
PRODUCT_AREA = ENUM(
    "Reservations", "CheckIn", "Payments", "Housekeeping", "Backoffice", name="ProductArea", create_type=False
)
RECORDING_STATUS = ENUM(
    "initializing",
    "recording",
    "paused",
    "processing",
    "completed",
    "failed",
    "deleted",
    name="RecordingStatus",
    create_type=False,
)
RECORDING_TYPE = ENUM("camera", "screen", "both", name="RecordingType", create_type=False)
ROADMAP_STAGE = ENUM("now", "next", "later", "under_consideration", name="RoadmapStage", create_type=False)
ROLE = ENUM("USER", "PM", "PO", "RESEARCHER", "ADMIN", "MODERATOR", name="Role", create_type=False)
SESSION_TYPE = ENUM(
    "usability", "interview", "prototype_walkthrough", "remote_test", name="SessionType", create_type=False
)
SOURCE = ENUM("app", "web", "kiosk", "support", "import", name="Source", create_type=False)
VISIBILITY = ENUM("public", "internal", name="Visibility", create_type=False)
