"""The indexes that make the application's main queries fast and that Prisma's schema does not declare.

Prisma's own comparison of schemas leaves indexes over expressions alone and, but for a few versions, partial ones; any
other index it does not know it drops (docs/optimisations.md). Hence the constant in ``VOTE_TOTALS``.

Belongs here: which indexes, for which query, and why. Does not belong here: making them (``build``).
"""

from dataclasses import dataclass

from odyssey_assets.model.queries import NEWEST_FEEDBACK, SEARCH, ApplicationQuery

PREFIX = "odyssey_"


@dataclass(frozen=True)
class Optimisation:
    """``definition`` is what follows the table's name in CREATE INDEX; ``parameter_sql`` finds the query's parameter
    for measuring, where the query's own would not need the index."""

    name: str
    table: str
    definition: str
    query: ApplicationQuery
    purpose: str
    parameter_sql: str | None = None

    @property
    def index(self) -> str:
        return PREFIX + self.name


FEEDBACK_SEARCH = Optimisation(
    "feedback_search",
    "Feedback",
    """USING gin (to_tsvector('english', "title" || ' ' || "body"))""",
    SEARCH,
    "Full-text search over title and body: the very expression the query has, or it would not be used. A row whose "
    "title or body is NULL is found neither with it nor without.",
    # Words that hardly any other feedback has; for one that many have, reading newest first is as fast.
    """SELECT left("title" || ' ' || "body", 200) AS value FROM {schema}."Feedback" ORDER BY "createdAt" LIMIT 1""",
)

FEEDBACK_ACTIVE = Optimisation(
    "feedback_active",
    "Feedback",
    """("createdAt" DESC) WHERE "state" <> 'merged'""",
    NEWEST_FEEDBACK,
    "The newest feedback that is shown, without stepping over what was merged.",
)

VOTE_TOTALS = Optimisation(
    "vote_totals",
    "Vote",
    # The constant makes it an index over an expression; INCLUDE columns Prisma takes for ordinary ones.
    '("feedbackId", "decayedWeight", "id", (true))',
    NEWEST_FEEDBACK,
    "Number and weight of the votes for one feedback from the index alone, without a look at each vote's row.",
)

OPTIMISATIONS = (FEEDBACK_SEARCH, FEEDBACK_ACTIVE, VOTE_TOTALS)
