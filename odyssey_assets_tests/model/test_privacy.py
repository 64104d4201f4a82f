"""Secrets: which columns hold them, and rows named without telling one."""

import json

import pytest

from odyssey_assets.model.privacy import SECRET_COLUMNS, is_secret, shown_key
from odyssey_assets_tests.oracle_catalog import FACTS_DIR

TABLES = json.loads((FACTS_DIR / "schema_v5.json").read_text(encoding="utf-8"))["tables"]
TELLING_NAMES = ("token", "secret", "password", "signedurl")
NOT_SECRET = {
    ("Account", "token_type"),  # says which kind of token, as "bearer"
    ("SessionRecording", "signedUrlExpiry"),  # a moment
    ("AIUsageLog", "promptTokens"),  # numbers of tokens
    ("AIUsageLog", "completionTokens"),
    ("AIUsageLog", "totalTokens"),
}


def test_every_column_whose_name_tells_of_a_secret_is_one_or_known_not_to_be() -> None:
    telling = {
        (table, column["name"])
        for table, facts in TABLES.items()
        for column in facts["columns"]
        if any(name in column["name"].lower() for name in TELLING_NAMES)
    }
    assert {place for place in telling if not is_secret(*place)} == NOT_SECRET


def test_every_secret_is_a_column_there_is() -> None:
    for table, columns in SECRET_COLUMNS.items():
        assert columns <= {column["name"] for column in TABLES[table]["columns"]}


def test_other_tables_have_none() -> None:
    assert not is_secret("Vote", "token")
    assert not is_secret("Nowhere", "sessionToken")


def test_a_key_without_secrets_is_shown_as_it_is() -> None:
    assert shown_key("Vote", {"id": "v1", "n": 7}) == {"id": "v1", "n": 7}


def test_a_secret_part_of_a_key_is_a_digest_that_tells_rows_apart() -> None:
    first = shown_key("VerificationToken", {"identifier": "a@b.c", "token": "one"})
    second = shown_key("VerificationToken", {"identifier": "a@b.c", "token": "two"})
    assert first["identifier"] == "a@b.c"
    assert str(first["token"]).startswith("sha256:")
    assert first["token"] != second["token"]
    assert first == shown_key("VerificationToken", {"identifier": "a@b.c", "token": "one"})


@pytest.mark.parametrize("value", ["", None, "ä" * 1000])
def test_a_secret_of_any_shape_has_a_short_digest(value: object) -> None:
    assert len(str(shown_key("VerificationToken", {"token": value})["token"])) == len("sha256:") + 12
