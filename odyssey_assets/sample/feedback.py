"""Sample rows of the feedback domain: features, feedback, votes, and what the models made of it."""

import numpy as np

from odyssey_assets.sample.catalogues import FEATURES
from odyssey_assets.sample.chunk import Chunk, Columns
from odyssey_assets.sample.documents import (
    ATTACHMENTS,
    MODERATION_SIGNALS,
    TRANSLATIONS,
    embeddings,
    id_list,
    joined,
)
from odyssey_assets.sample.world import generator_for

VOTE_WEIGHTS = (1.0, 1.5, 2.0, 3.0)
HALF_LIFE_DAYS = 180.0
MODELS = ("text-embedding-3-small", "gpt-4o-mini")


def feature(rows: Chunk) -> Columns:
    chosen = [FEATURES[number] for number in rows.numbers]
    return {
        "title": np.array([title for _, title, _ in chosen], dtype=object),
        "area": np.array([area for _, _, area in chosen], dtype=object),
        "tags": rows.one_of(('["rx","guest-experience"]', "[]", '["été 2025"]')),
        "description": rows.paragraph(),
    }


def feedback(rows: Chunk) -> Columns:
    return {
        "authorId": rows.parent("User"),
        "title": rows.sentence(),
        "body": rows.paragraph(),
        "villageId": rows.parent("Village"),
        "featureId": rows.parent("Feature"),
        "moderationSignals": rows.mostly_first(MODERATION_SIGNALS),
        "toxicityScore": rows.fractions() ** 3,
        "spamScore": rows.fractions() ** 5,
        "offTopicScore": np.round(rows.fractions(), 1),
        "moderatedBy": rows.parent("User"),
        "moderatedAt": rows.later(10),
        "duplicateOfId": rows.sibling(0.08),
        "attachments": rows.mostly_first(ATTACHMENTS),
        "i18nData": rows.mostly_first(TRANSLATIONS),
        "updatedAt": rows.later(90),
        "editWindowEndsAt": rows.created + np.timedelta64(15, "m"),
    }


def vote(rows: Chunk) -> Columns:
    feedback_ids, user_ids = rows.pair("Feedback", "User")
    weight = np.array(VOTE_WEIGHTS)[rows.integers(0, len(VOTE_WEIGHTS) - 1)]
    age_days = rows.fractions() * 640
    return {
        "feedbackId": feedback_ids,
        "userId": user_ids,
        "weight": weight,
        "decayedWeight": weight * 0.5 ** (age_days / HALF_LIFE_DAYS),
    }


def feedback_ai_metadata(rows: Chunk) -> Columns:
    return {
        "feedbackId": rows.only_child_of("Feedback"),
        "aiProductArea": rows.one_of(("CheckIn", "Payments", "Housekeeping")),
        "categorizationConfidence": rows.fractions(),
        "categorizationReasoning": rows.sentence(),
        "sentiment": rows.one_of(("positive", "neutral", "negative")),
        "sentimentScore": rows.fractions() * 2 - 1,
        "sentimentConfidence": rows.fractions(),
        "urgencyScore": np.round(rows.fractions() * 100, 2),
        "embedding": rows.one_of(embeddings(generator_for(rows.world.seed, "embeddings"))),
        "embeddingModel": rows.constant(MODELS[0]),
        "semanticDuplicates": joined('[{"score":0.', rows.number_texts(10**8, 10**9), "}]"),
        "duplicateCheckAt": rows.later(2),
        "overriddenBy": rows.parent("User"),
        "overriddenAt": rows.later(20),
        "updatedAt": rows.later(20),
    }


def ai_usage_log(rows: Chunk) -> Columns:
    prompt = rows.integers(8, 4000)
    completion = rows.integers(0, 900)
    return {
        "operation": rows.mostly_first(("embedding", "categorize", "sentiment", "summarize")),
        "model": rows.one_of(MODELS),
        "userId": rows.parent("User"),
        "feedbackId": rows.parent("Feedback"),
        "promptTokens": prompt,
        "completionTokens": completion,
        "totalTokens": prompt + completion,
        "success": rows.chance(0.97),
        "errorMessage": rows.sentence(),
        "latencyMs": rows.integers(40, 30_000),
        "result": joined('{"duplicates":', id_list(rows.parent("Feedback")), "}"),
        "confidence": rows.fractions(),
        "estimatedCostUsd": rows.fractions() * 1e-7 ** rows.fractions(),
    }
