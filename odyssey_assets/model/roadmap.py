"""What is planned, and which features and feedback it answers."""

from odyssey_assets.model.columns import (
    IN_2_AND_FROM_4,
    choice,
    index,
    integer,
    join_table,
    json_text,
    model,
    moment,
    references,
    string,
)
from odyssey_assets.model.domains import Domain
from odyssey_assets.model.enums import ROADMAP_STAGE, VISIBILITY

model(
    "RoadmapItem",
    string("id"),
    string("title"),
    choice("stage", ROADMAP_STAGE),
    string("description", null=True),
    string("createdById"),
    moment("targetDate", null=True),
    integer("progress", default=0),
    choice("visibility", VISIBILITY, default="public"),
    json_text("featureIds", default="[]"),
    json_text("feedbackIds", default="[]"),
    json_text("jiraTickets", default="[]"),
    json_text("figmaLinks", default="[]"),
    string("commsCadence", null=True),
    json_text("commsChannels", default="[]"),
    json_text("commsAudience", default="{}"),
    json_text("successCriteria", default="[]"),
    json_text("guardrails", default="[]"),
    moment("createdAt", now=True),
    moment("updatedAt"),
    references("createdById", "User", on_delete="RESTRICT"),
    index("createdById"),
    index("stage"),
    index("stage", "visibility", versions=IN_2_AND_FROM_4),
    index("visibility", "updatedAt", versions=IN_2_AND_FROM_4),
    domain=Domain.ROADMAP,
    description="A planned piece of work and its communication.",
)

join_table("_FeatureToRoadmapItem", "Feature", "RoadmapItem", domain=Domain.ROADMAP)

join_table("_FeedbackToRoadmapItem", "Feedback", "RoadmapItem", domain=Domain.ROADMAP)
