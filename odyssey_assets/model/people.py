"""Who uses Odyssey: villages, users, and how they sign in."""

from odyssey_assets.model.columns import (
    choice,
    index,
    integer,
    json_text,
    model,
    moment,
    references,
    string,
    unique,
)
from odyssey_assets.model.domains import Domain
from odyssey_assets.model.enums import ROLE

model(
    "Village",
    string("id"),
    string("name"),
    moment("createdAt", now=True),
    moment("updatedAt"),
    domain=Domain.PEOPLE,
    description="A location of the organisation; users and feedback belong to one.",
)

model(
    "User",
    string("id"),
    string("employeeId"),
    string("email"),
    string("displayName", null=True),
    choice("role", ROLE, default="USER"),
    string("bio", null=True),
    string("avatarUrl", null=True),
    string("preferredLanguage", default="en"),
    string("currentVillageId", null=True),
    json_text("villageHistory", default="[]"),
    json_text("consents", default="[]"),
    json_text("consentHistory", default="[]"),
    moment("createdAt", now=True),
    moment("updatedAt"),
    references("currentVillageId", "Village", on_delete="SET NULL"),
    index("email"),
    unique("email"),
    index("employeeId"),
    unique("employeeId"),
    domain=Domain.PEOPLE,
    description="A person with an account; the parent of most tables.",
)

model(
    "Account",
    string("id"),
    string("userId"),
    string("type"),
    string("provider"),
    string("providerAccountId"),
    string("refresh_token", null=True),
    string("access_token", null=True),
    integer("expires_at", null=True),
    string("token_type", null=True),
    string("scope", null=True),
    string("id_token", null=True),
    string("session_state", null=True),
    references("userId", "User"),
    unique("provider", "providerAccountId"),
    index("userId"),
    domain=Domain.PEOPLE,
    description="A sign-in provider linked to a user, with its tokens.",
)

model(
    "AuthSession",
    string("id"),
    string("sessionToken"),
    string("userId"),
    moment("expires"),
    references("userId", "User"),
    unique("sessionToken"),
    index("userId"),
    domain=Domain.PEOPLE,
    description="A signed-in browser session.",
)

model(
    "VerificationToken",
    string("identifier"),
    string("token"),
    moment("expires"),
    unique("identifier", "token"),
    unique("token"),
    domain=Domain.PEOPLE,
    description="A pending e-mail verification. Has no primary key.",
    key=(),
)
