"""Sample rows of the collaboration domain."""

from odyssey_assets.sample.chunk import Chunk, Columns
from odyssey_assets.sample.documents import id_list, joined
from odyssey_assets.sample.text import FAMILY_NAMES, GIVEN_NAMES


def collaboration_session(rows: Chunk) -> Columns:
    return {
        "sessionName": rows.numbered("feedback-triage-"),
        "type": rows.mostly_first(("feedback", "roadmap")),
        "participantIds": id_list(rows.parent("User"), rows.parent("User")),
        "activeCount": rows.integers(0, 12),
        "lastActivityAt": rows.later(2),
        "updatedAt": rows.later(2),
    }


def collaboration_comment(rows: Chunk) -> Columns:
    return {
        "sessionId": rows.parent("CollaborationSession"),
        "authorId": rows.parent("User"),
        "authorName": joined(rows.one_of(GIVEN_NAMES), " ", rows.one_of(FAMILY_NAMES)),
        "authorAvatar": joined("https://cdn.odyssey.example/", rows.tokens(12), ".webp"),
        "content": rows.paragraph(),
        "feedbackId": rows.parent("Feedback"),
        "resourceId": rows.parent("RoadmapItem"),
        "resourceType": rows.constant("roadmap"),
        "parentId": rows.sibling(0.5),
        "updatedAt": rows.later(3),
    }
