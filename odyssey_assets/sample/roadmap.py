"""Sample rows of the roadmap domain."""

from odyssey_assets.sample.chunk import Chunk, Columns
from odyssey_assets.sample.documents import id_list, joined


def roadmap_item(rows: Chunk) -> Columns:
    return {
        "title": rows.title(),
        "description": rows.paragraph(),
        "createdById": rows.parent("User"),
        "targetDate": rows.later(400),
        "progress": rows.integers(0, 100),
        "featureIds": id_list(rows.parent("Feature"), rows.parent("Feature")),
        "feedbackIds": id_list(rows.parent("Feedback"), rows.parent("Feedback"), rows.parent("Feedback")),
        "jiraTickets": joined('["ODYS-', rows.number_texts(1000, 9999), '"]'),
        "figmaLinks": joined('["https://figma.com/file/', rows.tokens(8), '"]'),
        "commsCadence": rows.mostly_first(("monthly", "weekly", "ad_hoc")),
        "commsChannels": rows.mostly_first(('["in-app","email"]', '["email"]', "[]")),
        "commsAudience": rows.mostly_first(('{"villages":["all"],"roles":["USER"],"languages":["fr","en"]}', "{}")),
        "successCriteria": rows.mostly_first(('["reduce_checkin_time_lt_2min","nps_area>=+30"]', "[]")),
        "guardrails": rows.mostly_first(('["error_rate<0.5%","perf_p95<800ms"]', "[]")),
        "updatedAt": rows.later(200),
    }


def feature_to_roadmap_item(rows: Chunk) -> Columns:
    feature_ids, item_ids = rows.pair("Feature", "RoadmapItem")
    return {"A": feature_ids, "B": item_ids}


def feedback_to_roadmap_item(rows: Chunk) -> Columns:
    feedback_ids, item_ids = rows.pair("Feedback", "RoadmapItem")
    return {"A": feedback_ids, "B": item_ids}
