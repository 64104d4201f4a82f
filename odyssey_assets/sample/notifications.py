"""Sample rows of the notifications domain."""

from odyssey_assets.sample.chunk import Chunk, Columns
from odyssey_assets.sample.documents import joined

CADENCES = ("real_time", "daily", "weekly", "off")


def notification(rows: Chunk) -> Columns:
    return {
        "userId": rows.parent("User"),
        "type": rows.mostly_first(("vote", "feedback_reply", "roadmap_update")),
        "title": rows.title(),
        "body": rows.title(),
        "link": joined("/feedback/", rows.parent("Feedback")),
        "readAt": rows.later(7),
    }


def notification_preferences(rows: Chunk) -> Columns:
    return {
        "userId": rows.only_child_of("User"),
        "feedbackUpdates": rows.mostly_first(CADENCES),
        "roadmapUpdates": rows.mostly_first(CADENCES),
        "researchInvites": rows.mostly_first(CADENCES),
        "weeklyDigest": rows.chance(0.7),
        "unsubscribeToken": rows.tokens(25),
    }


def email_log(rows: Chunk) -> Columns:
    return {
        "userId": rows.parent("User"),
        "to": joined("user.", rows.number_texts(0, rows.world.counts["User"] - 1), "@odyssey.example"),
        "subject": rows.title(),
        "templateType": rows.mostly_first(("digest", "welcome", "reply")),
        "status": rows.mostly_first(("sent", "pending", "failed")),
        "messageId": joined("<", rows.tokens(10), "@mail>"),
        "error": rows.title(),
        "metadata": rows.details(),
        "sentAt": rows.later(0.01),
    }
