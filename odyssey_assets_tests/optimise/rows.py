"""Feedback and votes straight into PostgreSQL, enough of them for the planner to care.

Belongs here: rows. Does not belong here: anything of the engine.
"""

import psycopg

from odyssey_assets_tests.statements import prisma_sql, run_postgres

FEEDBACK_ROWS = 30_000
VOTE_ROWS = 70_000

ROWS_SQL = f"""
INSERT INTO "User" ("id", "email", "employeeId", "displayName", "updatedAt")
SELECT 'user ' || i, i || '@example.org', 'employee ' || i, 'Person ' || i, now() FROM generate_series(1, 500) i;
INSERT INTO "Feedback" ("id", "authorId", "title", "body", "state", "createdAt", "updatedAt")
SELECT 'feedback ' || i, 'user ' || (i % 500 + 1), 'Title word' || i % 100, 'Some text about w' || i || ' and more',
       (ARRAY['new', 'triaged', 'merged', 'closed'])[i % 4 + 1]::"FeedbackState",
       timestamp '2025-01-01' + i * interval '1 minute', now()
FROM generate_series(1, {FEEDBACK_ROWS}) i;
INSERT INTO "Vote" ("id", "feedbackId", "userId", "decayedWeight")
SELECT 'vote ' || i, 'feedback ' || (i * 7919 % {FEEDBACK_ROWS} + 1),
       'user ' || (i / {FEEDBACK_ROWS} * 13 + i % 13 + 1), random()
FROM generate_series(1, {VOTE_ROWS}) i
ON CONFLICT DO NOTHING;
"""


def fill(uri: str, version: int = 5) -> None:
    """The application's schema with rows to look for, vacuumed and with statistics, as any server has them in time.

    Autovacuum could come in the middle of a test, and with it another plan.
    """
    run_postgres(uri, prisma_sql(version))
    run_postgres(uri, ROWS_SQL)
    tables = ("User", "Feedback", "Vote")
    run_postgres(uri, "; ".join(f'ALTER TABLE "{table}" SET (autovacuum_enabled = false)' for table in tables))
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
