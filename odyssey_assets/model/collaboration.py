"""Working on feedback together, live."""

from odyssey_assets.model.columns import ONLY_5, index, integer, json_text, model, moment, references, string
from odyssey_assets.model.domains import Domain

model(
    "CollaborationSession",
    string("id"),
    string("sessionName"),
    string("type", default="feedback"),
    json_text("participantIds", default="[]"),
    integer("activeCount", default=0),
    moment("lastActivityAt", now=True),
    moment("createdAt", now=True),
    moment("updatedAt"),
    index("lastActivityAt"),
    index("sessionName"),
    index("type"),
    domain=Domain.COLLABORATION,
    description="A live session of several users.",
    versions=ONLY_5,
)

model(
    "CollaborationComment",
    string("id"),
    string("sessionId"),
    string("authorId"),
    string("authorName"),
    string("authorAvatar", null=True),
    string("content"),
    string("feedbackId", null=True),
    string("resourceId", null=True),
    string("resourceType", null=True),
    string("parentId", null=True),
    moment("createdAt", now=True),
    moment("updatedAt"),
    references("parentId", "CollaborationComment", on_delete="NO ACTION"),
    references("sessionId", "CollaborationSession"),
    index("authorId"),
    index("createdAt"),
    index("feedbackId"),
    index("parentId"),
    index("resourceId"),
    index("sessionId"),
    domain=Domain.COLLABORATION,
    description="A comment in a live session; can answer another.",
    versions=ONLY_5,
)
