"""Sample rows of the people domain: villages, users, and how they sign in."""

import numpy as np

from odyssey_assets.sample.catalogues import VILLAGES
from odyssey_assets.sample.chunk import Chunk, Columns
from odyssey_assets.sample.documents import CONSENT_HISTORIES, CONSENTS, VILLAGE_HISTORIES, joined
from odyssey_assets.sample.text import FAMILY_NAMES, GIVEN_NAMES, LANGUAGES


def village(rows: Chunk) -> Columns:
    return {"name": np.array(VILLAGES, dtype=object)[rows.numbers]}


def user(rows: Chunk) -> Columns:
    return {
        "employeeId": rows.numbered("E"),
        "email": joined(rows.numbered("user."), "@odyssey.example"),
        "displayName": joined(rows.one_of(GIVEN_NAMES), " ", rows.one_of(FAMILY_NAMES)),
        "bio": rows.paragraph(),
        "avatarUrl": joined("https://cdn.odyssey.example/", rows.tokens(12), ".webp"),
        "preferredLanguage": rows.mostly_first(LANGUAGES),
        "currentVillageId": rows.parent("Village"),
        "villageHistory": rows.one_of(VILLAGE_HISTORIES),
        "consents": rows.one_of(CONSENTS),
        "consentHistory": rows.mostly_first(CONSENT_HISTORIES),
        "updatedAt": rows.later(60),
    }


def account(rows: Chunk) -> Columns:
    return {
        "userId": rows.parent("User"),
        "type": rows.constant("oidc"),
        "provider": rows.mostly_first(("azure-ad", "okta")),
        "providerAccountId": rows.numbered("aad-"),
        "refresh_token": rows.tokens(24),
        "access_token": joined("eyJ0eXAi.", rows.tokens(32)),
        "expires_at": rows.integers(1_704_700_000, 2**31 - 1),
        "token_type": rows.constant("Bearer"),
        "scope": rows.constant("openid profile email"),
        "id_token": rows.tokens(32),
        "session_state": rows.tokens(12),
    }


def auth_session(rows: Chunk) -> Columns:
    return {"sessionToken": rows.tokens(32), "userId": rows.parent("User"), "expires": rows.later(30)}


def verification_token(rows: Chunk) -> Columns:
    return {
        "identifier": joined(rows.numbered("guest."), "@odyssey.example"),
        "token": rows.tokens(32),
        "expires": rows.later(1),
    }
