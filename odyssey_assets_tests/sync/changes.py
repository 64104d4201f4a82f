"""Every kind of change the application can make to the published pair of ``dual_run``, by name.

Belongs here: statements for SQLite, and the rows they come to by table. Does not belong here: syncing (``test_apply``).
"""

from dataclasses import dataclass

Counts = dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Case:
    """Statements for SQLite, and the rows inserted, updated and deleted by table that they come to."""

    statements: tuple[str, ...]
    expected: Counts
    enforced: bool = True


def passed_on(table: str, column: str, *ids: str) -> tuple[str, ...]:
    """Each row takes the value of the next one, the last one that of the first."""
    values = [f"""(SELECT "{column}" FROM old WHERE "id" = '{id_}')""" for id_ in (*ids[1:], ids[0])]
    named = ", ".join(f"'{id_}'" for id_ in ids)
    return (
        f'CREATE TEMP TABLE old AS SELECT "id", "{column}" FROM "{table}"',
        f"""UPDATE "{table}" SET "{column}" = 'odd ' || "id" WHERE "id" IN ({named})""",
        *(f"""UPDATE "{table}" SET "{column}" = {value} WHERE "id" = '{id_}'"""
          for id_, value in zip(ids, values, strict=True)),
        "DROP TABLE old",
    )  # fmt: skip


def copy_of(table: str, columns: str, new: str, where: str) -> str:
    return f'INSERT INTO "{table}" ({columns}) SELECT {new} FROM "{table}" WHERE {where}'


VOTE = '"id", "feedbackId", "userId", "weight", "decayedWeight", "createdAt"'
VOTE_REST = '"weight", "decayedWeight", "createdAt"'
USER = ('"id", "employeeId", "email", "role", "preferredLanguage", "villageHistory", "consents", "consentHistory", '
        '"createdAt", "updatedAt"')  # fmt: skip
USER_REST = '"role", "preferredLanguage", "villageHistory", "consents", "consentHistory", "createdAt", "updatedAt"'
FEEDBACK = ('"id", "duplicateOfId", "authorId", "title", "body", "visibility", "source", "state", "moderationStatus", '
            '"moderationSignals", "toxicityScore", "spamScore", "offTopicScore", "hasPii", "needsReview", '
            '"attachments", "i18nData", "createdAt", "updatedAt"')  # fmt: skip
FEEDBACK_REST = FEEDBACK.split(", ", 2)[2]
MOVED_FROM_USER_1 = tuple(
    f"""UPDATE "{table}" SET "{column}" = 'User-2' WHERE "{column}" = 'User-1'"""
    for table, column in [("Feedback", "authorId"), ("Panel", "createdById"), ("Questionnaire", "createdById"),
                          ("RoadmapItem", "createdById")]
)  # fmt: skip
OWNED_BY_USER_1 = {"Account": (0, 0, 1), "AuthSession": (0, 0, 1), "Notification": (0, 0, 1), "Vote": (0, 0, 1),
                   "NotificationPreferences": (0, 0, 1), "PanelMembership": (0, 0, 1), "PointTransaction": (0, 0, 1),
                   "QuestionnaireResponse": (0, 0, 1), "UserAchievement": (0, 0, 1), "UserBadge": (0, 0, 1),
                   "UserPoints": (0, 0, 1), "_SessionFacilitators": (0, 0, 1), "Event": (0, 4, 0)}  # fmt: skip
FOLLOWING_USER_1 = {name: (0, sum(counts), 0) for name, counts in OWNED_BY_USER_1.items()} | {
    "Feedback": (0, 1, 0), "Panel": (0, 1, 0), "Questionnaire": (0, 1, 0), "RoadmapItem": (0, 1, 0),
    "_SessionFacilitators": (1, 0, 1)}  # fmt: skip

CASES: dict[str, Case] = {
    "rows are inserted": Case(
        ("""INSERT INTO "Village" VALUES ('new', 'New', 1760000000000, 1760000000000)""",
         copy_of("User", USER, f"'new', 'new', 'new', {USER_REST}", "\"id\" = 'User-0'"),
         copy_of("Vote", VOTE, f"'new', \"feedbackId\", 'new', {VOTE_REST}", "\"id\" = 'Vote-0'")),
        {"Village": (1, 0, 0), "User": (1, 0, 0), "Vote": (1, 0, 0)},
    ),
    "rows are updated": Case(
        ("""UPDATE "User" SET "bio" = 'x', "updatedAt" = 1760000000001 WHERE "id" = 'User-1'""",),
        {"User": (0, 1, 0)},
    ),
    "rows are updated and no timestamp moves": Case(
        ('UPDATE "Vote" SET "decayedWeight" = 0.25',), {"Vote": (0, 4, 0)}
    ),
    "a value becomes nothing and nothing a value": Case(
        ("""UPDATE "Event" SET "userId" = NULL""", """UPDATE "User" SET "bio" = '', "displayName" = 'x'"""),
        {"Event": (0, 4, 0), "User": (0, 4, 0)},
    ),
    "rows are deleted": Case(("""DELETE FROM "Event" WHERE "id" > 'Event-1'""",), {"Event": (0, 0, 2)}),
    "a vote is withdrawn and cast again": Case(
        (copy_of("Vote", VOTE, f"'again', 'Feedback-0', 'User-1', {VOTE_REST}", "\"id\" = 'Vote-1'"),
         """DELETE FROM "Vote" WHERE "id" = 'Vote-1'""",
         """UPDATE "Vote" SET "feedbackId" = 'Feedback-1' WHERE "id" = 'again'"""),
        {"Vote": (1, 0, 1)},
    ),
    "two users swap e-mail addresses": Case(passed_on("User", "email", "User-0", "User-1"), {"User": (0, 2, 0)}),
    "three users pass e-mail addresses round": Case(
        passed_on("User", "email", "User-0", "User-1", "User-2"), {"User": (0, 3, 0)}
    ),
    "users swap two unique values with different users": Case(
        (*passed_on("User", "email", "User-0", "User-1"), *passed_on("User", "employeeId", "User-1", "User-2")),
        {"User": (0, 3, 0)},
    ),
    "a chain ends in a freed value": Case(
        ("""UPDATE "User" SET "email" = 'fresh' WHERE "id" = 'User-3'""",
         """UPDATE "User" SET "email" = 'email 3' WHERE "id" = 'User-2'""",
         """UPDATE "User" SET "email" = 'email 2' WHERE "id" = 'User-1'""",
         """UPDATE "User" SET "email" = 'email 1' WHERE "id" = 'User-0'"""),
        {"User": (0, 4, 0)},
    ),
    "a unique value moves from a deleted row to a new one": Case(
        ("""DELETE FROM "Badge" WHERE "id" = 'Badge-1'""",
         """INSERT INTO "Badge" SELECT 'new', 'key 1', "name", "description", "tier", "category", "iconUrl",
            "requirement", "points", "createdAt", "updatedAt" FROM "Badge" WHERE "id" = 'Badge-0'"""),
        {"Badge": (1, 0, 1), "UserBadge": (0, 0, 1)},
    ),
    "a unique value moves from a deleted row to an updated one": Case(
        ("""DELETE FROM "Account" WHERE "id" = 'Account-1'""",
         """UPDATE "Account" SET "provider" = 'provider 1', "providerAccountId" = 'providerAccountId 1'
            WHERE "id" = 'Account-0'"""),
        {"Account": (0, 1, 1)},
    ),
    "a unique value moves from an updated row to a new one": Case(
        ("""UPDATE "User" SET "email" = 'fresh' WHERE "id" = 'User-0'""",
         copy_of("User", USER, f"'new', 'new', 'email 0', {USER_REST}", "\"id\" = 'User-0'")),
        {"User": (1, 1, 0)},
    ),
    "a primary key changes and its children follow": Case(
        ("""UPDATE "User" SET "id" = 'renamed' WHERE "id" = 'User-1'""",),
        {"User": (1, 0, 1), **FOLLOWING_USER_1},
    ),
    "a primary key changes and rows of its own table follow": Case(
        ("""UPDATE "Feedback" SET "id" = 'renamed' WHERE "id" = 'Feedback-1'""",
         """UPDATE "Feedback" SET "duplicateOfId" = 'renamed' WHERE "duplicateOfId" = 'Feedback-1'""",
         """UPDATE "Vote" SET "feedbackId" = 'renamed' WHERE "feedbackId" = 'Feedback-1'""",
         """UPDATE "_FeedbackToRoadmapItem" SET "A" = 'renamed' WHERE "A" = 'Feedback-1'"""),
        {"Feedback": (1, 1, 1), "Vote": (0, 1, 0), "_FeedbackToRoadmapItem": (1, 0, 1)},
        enforced=False,
    ),
    "rows exchange their primary keys and children stay": Case(
        ("""UPDATE "User" SET "id" = 'odd' WHERE "id" = 'User-0'""",
         """UPDATE "User" SET "id" = 'User-0' WHERE "id" = 'User-1'""",
         """UPDATE "User" SET "id" = 'User-1' WHERE "id" = 'odd'"""),
        {"User": (0, 2, 0)},
        enforced=False,
    ),
    "a foreign key moves to another parent and the old one goes": Case(
        (*MOVED_FROM_USER_1, """UPDATE "Event" SET "userId" = 'User-3' WHERE "id" = 'Event-0'""",
         """UPDATE "PointTransaction" SET "userId" = 'User-2'""", """DELETE FROM "User" WHERE "id" = 'User-1'"""),
        {**OWNED_BY_USER_1, "User": (0, 0, 1), "PointTransaction": (0, 3, 0), "Feedback": (0, 1, 0),
         "Panel": (0, 1, 0), "Questionnaire": (0, 1, 0), "RoadmapItem": (0, 1, 0)},
    ),
    "a foreign key moves to a parent that is new": Case(
        ("""INSERT INTO "Village" VALUES ('new', 'New', 1760000000000, 1760000000000)""",
         """UPDATE "User" SET "currentVillageId" = 'new'""", """DELETE FROM "Village" WHERE "id" = 'Village-1'"""),
        {"Village": (1, 0, 1), "User": (0, 4, 0), "Feedback": (0, 4, 0)},
    ),
    "a parent goes with its children by CASCADE": Case(
        ("""DELETE FROM "Panel" WHERE "id" = 'Panel-0'""",
         """DELETE FROM "Questionnaire" WHERE "id" = 'Questionnaire-2'"""),
        {"Panel": (0, 0, 1), "PanelMembership": (0, 0, 1), "Questionnaire": (0, 0, 1),
         "QuestionnaireResponse": (0, 0, 1), "_PanelToQuestionnaire": (0, 0, 2)},
    ),
    "grandchildren go too": Case(
        ("""UPDATE "Feedback" SET "duplicateOfId" = NULL""", """DELETE FROM "Feedback" WHERE "authorId" = 'User-1'""",
         *MOVED_FROM_USER_1[1:], """DELETE FROM "User" WHERE "id" = 'User-1'"""),
        {**OWNED_BY_USER_1, "User": (0, 0, 1), "Feedback": (0, 2, 1), "Panel": (0, 1, 0), "Questionnaire": (0, 1, 0),
         "RoadmapItem": (0, 1, 0), "_FeedbackToRoadmapItem": (0, 0, 1)},
    ),
    "a parent goes and its children had SET NULL": Case(
        ("""DELETE FROM "Village" WHERE "id" = 'Village-1'""", """DELETE FROM "Feature" WHERE "id" = 'Feature-1'"""),
        {"Village": (0, 0, 1), "User": (0, 3, 0), "Feature": (0, 0, 1), "Feedback": (0, 4, 0),
         "_FeatureToRoadmapItem": (0, 0, 1)},
    ),
    "a parent goes whose children had RESTRICT": Case(
        ("""DELETE FROM "Questionnaire" WHERE "createdById" = 'User-1'""",
         """DELETE FROM "RoadmapItem" WHERE "createdById" = 'User-1'""",
         """DELETE FROM "Panel" WHERE "createdById" = 'User-1'""", MOVED_FROM_USER_1[0],
         """DELETE FROM "User" WHERE "id" = 'User-1'"""),
        {**OWNED_BY_USER_1, "User": (0, 0, 1), "Feedback": (0, 1, 0), "Panel": (0, 0, 1), "Questionnaire": (0, 0, 1),
         "RoadmapItem": (0, 0, 1), "Session": (0, 4, 0), "_PanelToQuestionnaire": (0, 0, 1),
         "_FeatureToRoadmapItem": (0, 0, 1), "_FeedbackToRoadmapItem": (0, 0, 1)},
    ),
    "new rows refer forward, to themselves and in a ring": Case(
        tuple(copy_of("Feedback", FEEDBACK, f"'{new}', '{other}', {FEEDBACK_REST}", "\"id\" = 'Feedback-3'")
              for new, other in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "d"), ("e", "f"), ("f", "Feedback-3")]),
        {"Feedback": (6, 0, 0)},
        enforced=False,
    ),
    "old rows are joined to a ring": Case(
        ("""UPDATE "Feedback" SET "duplicateOfId" = CASE "id" WHEN 'Feedback-0' THEN 'Feedback-3'
            WHEN 'Feedback-3' THEN 'Feedback-1' ELSE 'Feedback-0' END""",),
        {"Feedback": (0, 4, 0)},
    ),
    "the rows of a ring go": Case(
        ("""DELETE FROM "CollaborationComment" WHERE "parentId" IS NOT NULL""",
         """DELETE FROM "Feedback" WHERE "id" IN ('Feedback-0', 'Feedback-1', 'Feedback-2')"""),
        {"CollaborationComment": (0, 0, 3), "Feedback": (0, 0, 3), "Vote": (0, 0, 3),
         "_FeedbackToRoadmapItem": (0, 0, 3)},
    ),
    "one row of a ring goes and the others close it": Case(
        ("""UPDATE "CollaborationComment" SET "parentId" = 'CollaborationComment-2'
            WHERE "id" = 'CollaborationComment-0'""",
         """DELETE FROM "CollaborationComment" WHERE "id" = 'CollaborationComment-1'"""),
        {"CollaborationComment": (0, 1, 1)},
    ),
    "tables are emptied": Case(
        ('DELETE FROM "Vote"', 'DELETE FROM "VerificationToken"', 'DELETE FROM "_SessionFacilitators"',
         'DELETE FROM "CollaborationSession"'),
        {"Vote": (0, 0, 4), "VerificationToken": (0, 0, 4), "_SessionFacilitators": (0, 0, 4),
         "CollaborationSession": (0, 0, 4), "CollaborationComment": (0, 0, 4)},
    ),
    "join rows come, go and are exchanged": Case(
        ("""DELETE FROM "_FeatureToRoadmapItem" WHERE "A" = 'Feature-0'""",
         """INSERT INTO "_FeatureToRoadmapItem" VALUES ('Feature-2', 'RoadmapItem-3')""",
         """INSERT INTO "_FeatureToRoadmapItem" VALUES ('Feature-0', 'RoadmapItem-3')""",
         """UPDATE "_PanelToQuestionnaire" SET "B" = CASE "A" WHEN 'Panel-0' THEN 'Questionnaire-1'
            ELSE 'Questionnaire-0' END WHERE "A" < 'Panel-2'"""),
        {"_FeatureToRoadmapItem": (2, 0, 1), "_PanelToQuestionnaire": (2, 0, 2)},
    ),
    "rows without a primary key come, go and change": Case(
        ("""INSERT INTO "VerificationToken" VALUES ('identifier 0', 'new', 1760000000000)""",
         """DELETE FROM "VerificationToken" WHERE "token" = 'token 1'""",
         """UPDATE "VerificationToken" SET "token" = 'other' WHERE "token" = 'token 2'""",
         """UPDATE "VerificationToken" SET "expires" = 1760000000001, "identifier" = 'identifier 0'
            WHERE "token" = 'token 3'"""),
        {"VerificationToken": (2, 1, 2)},
    ),
    "rows without a primary key swap their identifiers": Case(
        ("""UPDATE "VerificationToken" SET "identifier" = CASE "token" WHEN 'token 0' THEN 'identifier 1'
            ELSE 'identifier 0' END WHERE "token" < 'token 2'""",),
        {"VerificationToken": (0, 2, 0)},
    ),
    "points are swapped between users": Case(
        passed_on("UserPoints", "userId", "UserPoints-0", "UserPoints-1"), {"UserPoints": (0, 2, 0)}, enforced=False
    ),
    "votes pass their pairs round": Case(
        (*passed_on("Vote", "userId", "Vote-0", "Vote-1", "Vote-2"),
         *passed_on("Vote", "feedbackId", "Vote-0", "Vote-1", "Vote-2")),
        {"Vote": (0, 3, 0)},
        enforced=False,
    ),
    "memberships swap their pairs and one goes": Case(
        (*passed_on("PanelMembership", "userId", "PanelMembership-0", "PanelMembership-1"),
         *passed_on("PanelMembership", "panelId", "PanelMembership-0", "PanelMembership-1"),
         """DELETE FROM "PanelMembership" WHERE "id" = 'PanelMembership-2'""",
         """UPDATE "PanelMembership" SET "panelId" = 'Panel-2', "userId" = 'User-2'
            WHERE "id" = 'PanelMembership-3'"""),
        {"PanelMembership": (0, 3, 1)},
        enforced=False,
    ),
    "a pair of foreign keys moves along a chain": Case(
        ("""UPDATE "UserBadge" SET "badgeId" = 'Badge-0' WHERE "id" = 'UserBadge-3'""",
         """UPDATE "UserBadge" SET "userId" = 'User-3', "badgeId" = 'Badge-3' WHERE "id" = 'UserBadge-2'""",
         """UPDATE "UserBadge" SET "userId" = 'User-2', "badgeId" = 'Badge-2' WHERE "id" = 'UserBadge-1'"""),
        {"UserBadge": (0, 3, 0)},
    ),
    "preferences swap users and tokens": Case(
        (*passed_on("NotificationPreferences", "userId", "NotificationPreferences-0", "NotificationPreferences-1"),
         *passed_on("NotificationPreferences", "unsubscribeToken", "NotificationPreferences-1",
                    "NotificationPreferences-2")),
        {"NotificationPreferences": (0, 3, 0)},
        enforced=False,
    ),
}  # fmt: skip
