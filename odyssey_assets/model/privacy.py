"""Which columns hold secrets, and how a row is named without telling one.

Belongs here: what must never be shown. Does not belong here: whether other values are shown (whoever shows decides).
"""

import hashlib
from collections.abc import Mapping

SECRET_COLUMNS: Mapping[str, frozenset[str]] = {
    "Account": frozenset({"refresh_token", "access_token", "id_token", "session_state"}),
    "AuthSession": frozenset({"sessionToken"}),
    "VerificationToken": frozenset({"token"}),
    "NotificationPreferences": frozenset({"unsubscribeToken"}),
    "SessionRecording": frozenset({"signedUrl"}),
}


def is_secret(table: str, column: str) -> bool:
    """Whether the column's values may never be shown, whatever was asked for."""
    return column in SECRET_COLUMNS.get(table, ())


def shown_key(table: str, key: Mapping[str, object]) -> dict[str, object]:
    """The key that names a row; a secret part is replaced by a digest that still tells rows apart."""
    return {
        name: f"sha256:{hashlib.sha256(str(value).encode()).hexdigest()[:12]}" if is_secret(table, name) else value
        for name, value in key.items()
    }
