"""The application's main queries, as Prisma would put them to PostgreSQL.

They are what people wait for: the smoke tests of a cut-over run each once, the load test many times at once, and the
optimisations are made for them.

Belongs here: the queries, their parameters and what each is for. Does not belong here: running them.
"""

from dataclasses import dataclass

PAGE_ROWS = 20
"""Rows of one page of the application's lists."""


@dataclass(frozen=True)
class ApplicationQuery:
    """``sql`` has ``{schema}`` for the quoted schema and ``$1`` for its parameter, where it has one.

    ``parameter_sql`` finds a value that real data has for it. ``tables`` are those it reads.
    """

    name: str
    purpose: str
    sql: str
    tables: tuple[str, ...]
    parameter_sql: str | None = None


NEWEST_FEEDBACK = ApplicationQuery(
    "newest feedback",
    "The first page: the newest feedback with its author and its votes.",
    f"""
SELECT f."id", f."title", f."state", f."createdAt", u."displayName" AS author,
       count(v."id") AS votes, coalesce(sum(v."decayedWeight"), 0) AS weight
FROM (
    SELECT * FROM {{schema}}."Feedback"
    WHERE "state" <> 'merged'
    ORDER BY "createdAt" DESC
    LIMIT {PAGE_ROWS}) f
JOIN {{schema}}."User" u ON u."id" = f."authorId"
LEFT JOIN {{schema}}."Vote" v ON v."feedbackId" = f."id"
GROUP BY f."id", f."title", f."state", f."createdAt", u."displayName"
ORDER BY f."createdAt" DESC
""",
    ("Feedback", "User", "Vote"),
)

TRENDING = ApplicationQuery(
    "trending",
    "Feedback by the weight of its votes.",
    f"""
SELECT f."id", f."title", t.votes, t.weight
FROM (
    SELECT "feedbackId", count(*) AS votes, sum("decayedWeight") AS weight
    FROM {{schema}}."Vote"
    GROUP BY "feedbackId"
    ORDER BY weight DESC
    LIMIT {PAGE_ROWS}) t
JOIN {{schema}}."Feedback" f ON f."id" = t."feedbackId"
ORDER BY t.weight DESC
""",
    ("Vote", "Feedback"),
)

SEARCH = ApplicationQuery(
    "search",
    "Full-text search in title and body.",
    f"""
SELECT f."id", f."title", f."createdAt"
FROM {{schema}}."Feedback" f
WHERE to_tsvector('english', f."title" || ' ' || f."body") @@ plainto_tsquery('english', $1)
ORDER BY f."createdAt" DESC
LIMIT {PAGE_ROWS}
""",
    ("Feedback",),
    """SELECT split_part("title", ' ', 1) AS value FROM {schema}."Feedback" ORDER BY "id" LIMIT 1""",
)

ROADMAP = ApplicationQuery(
    "roadmap",
    "The roadmap by its stages, each item with how much feedback it answers.",
    """
SELECT r."id", r."title", r."stage", count(l."A") AS feedback
FROM {schema}."RoadmapItem" r
LEFT JOIN {schema}."_FeedbackToRoadmapItem" l ON l."B" = r."id"
GROUP BY r."id", r."title", r."stage"
ORDER BY r."stage", r."title"
LIMIT 200
""",
    ("RoadmapItem", "_FeedbackToRoadmapItem"),
)

NOTIFICATIONS = ApplicationQuery(
    "notifications",
    "One user's newest notifications.",
    f"""
SELECT "id", "type", "title", "createdAt"
FROM {{schema}}."Notification"
WHERE "userId" = $1
ORDER BY "createdAt" DESC
LIMIT {PAGE_ROWS}
""",
    ("Notification",),
    """SELECT "userId" AS value FROM {schema}."Notification" ORDER BY "id" LIMIT 1""",
)

MAIN_QUERIES = (NEWEST_FEEDBACK, TRENDING, SEARCH, ROADMAP, NOTIFICATIONS)
