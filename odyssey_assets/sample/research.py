"""Sample rows of the research domain: panels, questionnaires, sessions, recordings."""

import numpy as np

from odyssey_assets.sample.chunk import Chunk, Columns
from odyssey_assets.sample.documents import ANNOTATIONS, ANSWERS, CHUNK_URLS, QUESTIONS, id_list, joined

ELIGIBILITY_RULES = (
    '{"include_roles":["USER"],"include_villages":["all"],"required_consents":["research_contact"]}',
    "{}",
)
QUOTAS = ('[{"key":"village_id","distribution":"proportional"}]', "[]")
FILTERS = ('{"villages":["vlg-001"],"features_interacted":["feat-checkin-mobile"]}', "{}")


def panel(rows: Chunk) -> Columns:
    return {
        "name": rows.title(),
        "description": rows.sentence(),
        "eligibilityRules": rows.mostly_first(ELIGIBILITY_RULES),
        "sizeTarget": rows.integers(5, 500),
        "quotas": rows.mostly_first(QUOTAS),
        "createdById": rows.parent("User"),
    }


def panel_membership(rows: Chunk) -> Columns:
    panel_ids, user_ids = rows.pair("Panel", "User")
    return {"panelId": panel_ids, "userId": user_ids, "joinedAt": rows.later(5), "active": rows.chance(0.8)}


def questionnaire(rows: Chunk) -> Columns:
    return {
        "title": rows.title(),
        "version": rows.mostly_first(("1.0.0", "1.1.0", "2.0.0-β")),
        "status": rows.mostly_first(("draft", "active", "closed")),
        "questions": rows.one_of(QUESTIONS),
        "panelIds": id_list(rows.parent("Panel")),
        "adHocFilters": rows.mostly_first(FILTERS),
        "deliveryMode": rows.mostly_first(('["in-app"]', '["in-app","email"]')),
        "startAt": rows.later(10),
        "endAt": rows.later(60),
        "maxResponses": rows.integers(1, 5000),
        "responseLimit": rows.integers(1, 3),
        "aggregateExports": rows.mostly_first(('["csv","parquet"]', "[]")),
        "createdById": rows.parent("User"),
    }


def questionnaire_response(rows: Chunk) -> Columns:
    return {
        "questionnaireId": rows.parent("Questionnaire"),
        "respondentId": rows.parent("User"),
        "answers": rows.mostly_first(ANSWERS),
        "scoreMap": joined('{"nps_score":', rows.number_texts(0, 10), "}"),
        "completedAt": rows.later(1),
    }


def session(rows: Chunk) -> Columns:
    return {
        "prototypeLink": joined("https://figma.com/proto/", rows.tokens(8)),
        "scheduledAt": rows.later(30),
        "durationMinutes": rows.integers(15, 120),
        "panelId": rows.parent("Panel"),
        "participantIds": id_list(rows.parent("User"), rows.parent("User")),
        "minParticipants": rows.integers(1, 3),
        "maxParticipants": rows.integers(4, 12),
        "facilitatorIds": id_list(rows.parent("User")),
        "recordingStorageDays": rows.integers(30, 365),
        "notesUri": joined("s3://notes/", rows.tokens(10), ".md"),
        "status": rows.mostly_first(("scheduled", "completed", "cancelled")),
    }


def session_recording(rows: Chunk) -> Columns:
    key = joined("rec/", rows.tokens(10), ".webm")
    return {
        "sessionId": rows.parent("Session"),
        "storageUrl": joined("https://rec.odyssey.example/", key),
        "storageBucket": rows.constant("odyssey-recordings"),
        "storageKey": key,
        "signedUrl": joined("https://rec.odyssey.example/", key, "?sig=", rows.tokens(24), "%3D&x=1"),
        "signedUrlExpiry": rows.later(1),
        "filename": joined(rows.one_of(("séance ", "session ")), rows.number_texts(1, 99), ".webm"),
        "mimeType": rows.constant("video/webm"),
        "fileSize": rows.integers(0, 2**31 - 1),
        "durationSeconds": rows.integers(-1, 7200),
        "width": rows.constant("1920").astype(np.int64),
        "height": rows.constant("1080").astype(np.int64),
        "processingStartedAt": rows.later(1),
        "processingCompletedAt": rows.later(2),
        "processingError": rows.sentence(),
        "totalChunks": rows.integers(0, 40),
        "uploadedChunks": rows.integers(0, 40),
        "chunkUrls": rows.one_of(CHUNK_URLS),
        "transcriptionUrl": joined("https://rec.odyssey.example/t/", rows.tokens(10)),
        "transcriptionText": rows.paragraph(),
        "transcriptionStatus": rows.mostly_first(("pending", "completed")),
        "annotations": rows.one_of(ANNOTATIONS),
        "highlights": joined('[{"t":', rows.number_texts(0, 3600), ".25}]"),
        "recordedBy": rows.parent("User"),
        "recordingStartedAt": rows.created,
        "recordingEndedAt": rows.later(0.1),
        "expiresAt": rows.later(365),
        "deletedAt": rows.later(365),
        "deletedBy": rows.parent("User"),
    }


def panel_to_questionnaire(rows: Chunk) -> Columns:
    panel_ids, questionnaire_ids = rows.pair("Panel", "Questionnaire")
    return {"A": panel_ids, "B": questionnaire_ids}


def session_facilitators(rows: Chunk) -> Columns:
    session_ids, user_ids = rows.pair("Session", "User")
    return {"A": session_ids, "B": user_ids}
