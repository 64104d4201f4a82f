"""Sample rows of the operations domain: events, audit, staff directory synchronisation."""

from odyssey_assets.sample.chunk import Chunk, Columns
from odyssey_assets.sample.documents import DETAILS, joined
from odyssey_assets.sample.text import IP_ADDRESSES, USER_AGENTS


def event(rows: Chunk) -> Columns:
    return {
        "type": rows.mostly_first(("vote.cast", "feedback.created", "page.view")),
        "payload": rows.details(),
        "userId": rows.parent("User"),
    }


def audit_log(rows: Chunk) -> Columns:
    return {
        "userId": rows.parent("User"),
        "action": rows.mostly_first(("vote.cast", "moderation.approve", "login")),
        "resourceId": rows.parent("Feedback"),
        "resourceType": rows.constant("feedback"),
        "metadata": rows.details(),
        "ipAddress": rows.one_of(IP_ADDRESSES),
        "userAgent": rows.one_of(USER_AGENTS),
    }


def hris_sync(rows: Chunk) -> Columns:
    return {
        "status": rows.mostly_first(("completed", "failed", "running")),
        "syncType": rows.mostly_first(("full", "incremental")),
        "recordsProcessed": rows.integers(0, 20_000),
        "recordsCreated": rows.integers(0, 200),
        "recordsUpdated": rows.integers(0, 900),
        "recordsFailed": rows.integers(0, 5),
        "conflictsDetected": rows.integers(0, 5),
        "startedAt": rows.created,
        "completedAt": rows.later(0.1),
        "errorMessage": rows.sentence(),
        "errorDetails": rows.one_of(DETAILS),
        "triggeredBy": rows.parent("User"),
        "metadata": rows.details(),
    }


def hris_conflict(rows: Chunk) -> Columns:
    return {
        "syncId": rows.parent("HRISSync"),
        "conflictType": rows.mostly_first(("duplicate_email", "role_mismatch")),
        "hrisEmployeeId": joined("E", rows.number_texts(0, 99_999)),
        "hrisEmail": joined("user.", rows.number_texts(0, 99_999), "@hris.example"),
        "hrisData": joined('{"name":"', rows.tokens(6), '","manager":{"id":null}}'),
        "existingUserId": rows.parent("User"),
        "systemData": rows.one_of(DETAILS),
        "status": rows.mostly_first(("pending", "resolved")),
        "resolution": rows.mostly_first(("keep_system", "keep_hris")),
        "resolvedBy": rows.parent("User"),
        "resolvedAt": rows.later(9),
        "resolutionNotes": rows.sentence(),
    }
