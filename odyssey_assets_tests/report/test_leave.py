"""The reports of real runs: true to the ledger, and silent about values, secrets and passwords."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from odyssey_assets.errors import OdysseyError, UnreachableError
from odyssey_assets.report.leave import leave_report
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.sync.outcome import Outcome, Request
from odyssey_assets.sync.run import run
from odyssey_assets_tests.report.markup import parsed
from odyssey_assets_tests.statements import ask_postgres, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import request_for

SOME = frozenset({"User", "Account", "VerificationToken", "Village"})
NONE: frozenset[str] = frozenset()
SECRET, PERSONAL = "planted-secret", "planted-person"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "odyssey.db", scale=0.1).path


def report_of(folder: Path, run_id: str, request: Request) -> tuple[dict[str, Any], str]:
    """Run, leave the report, and read both files of it."""
    verdict: Outcome | OdysseyError
    try:
        verdict = run(replace(request, run_id=run_id))
    except OdysseyError as error:
        verdict = error
    path = leave_report(folder / "reports", "sync", run_id, datetime.now(UTC), request, verdict)
    return json.loads(path.with_suffix(".json").read_text()), path.read_text()


def test_digests_and_publication_are_those_of_the_ledger(tmp_path: Path, source: Path, database_uri: str) -> None:
    document, page = report_of(tmp_path, "run-1", request_for(tmp_path, source, database_uri, publish=SOME))
    assert document["ok"] is True
    assert (document["publication"]["id"], document["publication"]["by_this_run"]) == (1, True)
    entries = ask_postgres(
        database_uri, "SELECT table_name, source_digest, target_digest FROM odyssey_sync.published_table"
    )
    assert {(each["name"], each["digests"]["source"], each["digests"]["target"]) for each in document["tables"]} == set(
        entries
    )
    assert len(entries) == len(SOME)
    ((version,),) = ask_postgres(database_uri, "SELECT current_setting('server_version')")
    assert document["target"]["server_version"] == version
    assert f"PostgreSQL {version}, schema public" in parsed(page).text
    later, _ = report_of(tmp_path, "run-2", request_for(tmp_path, source, database_uri, publish=NONE, verify=SOME))
    assert later["publication"] == {**document["publication"], "by_this_run": False}


@pytest.mark.parametrize("show_values", [False, True])
def test_values_are_told_on_request_and_secrets_never(
    tmp_path: Path, source: Path, database_uri: str, show_values: bool
) -> None:
    run_sqlite(
        source,
        f"""UPDATE "User" SET displayName = '{PERSONAL}-' || rowid""",
        f"""UPDATE "Account" SET access_token = '{SECRET}-' || rowid, refresh_token = '{SECRET}'""",
        f"""UPDATE "VerificationToken" SET token = '{SECRET}-' || rowid""",
    )
    report_of(tmp_path, "run-1", request_for(tmp_path, source, database_uri, publish=SOME))
    run_postgres(
        database_uri,
        f"""
        UPDATE "User" SET "displayName" = "displayName" || ' {PERSONAL}';
        UPDATE "Account" SET access_token = '{SECRET}', refresh_token = NULL;
        DELETE FROM "VerificationToken";
        """,
    )
    request = request_for(tmp_path, source, database_uri, publish=NONE, verify=SOME, show_values=show_values)
    document, page = report_of(tmp_path, "run-2", request)
    assert document["ok"] is False
    for text in (json.dumps(document), page):
        assert "access_token" in text
        assert "sha256:" in text
        assert SECRET not in text
        assert (PERSONAL in text) is show_values


def test_the_password_is_in_neither_file(tmp_path: Path, source: Path, database_uri: str) -> None:
    password = urlsplit(database_uri).password
    assert password
    for run_id, publish in (("run-1", SOME), ("run-2", frozenset({"Nope"}))):
        document, page = report_of(tmp_path, run_id, request_for(tmp_path, source, database_uri, publish=publish))
        assert ":***@" in document["target"]["url"]
        assert password not in page + json.dumps(document)


def test_a_server_that_is_gone_costs_only_what_it_would_have_told(tmp_path: Path, source: Path) -> None:
    document, page = report_of(tmp_path, "run-1", request_for(tmp_path, source, "postgresql://me:word@127.0.0.1:1/x"))
    assert (document["exit_status"], document["target"]["server_version"], document["publication"]) == (4, None, None)
    assert "A database could not be reached" in parsed(page).text
    request = request_for(tmp_path, source, "postgresql://me:word@127.0.0.1:1/x")
    path = leave_report(
        tmp_path, "sync", "run-2", datetime.now(UTC), request, OdysseyError("It broke.", hint="Mend it.")
    )
    assert "It broke. Mend it." in path.read_text()


def test_a_run_that_did_not_get_as_far_as_a_request_leaves_its_report(tmp_path: Path) -> None:
    path = leave_report(
        tmp_path, "sync", "run-1", datetime.now(UTC), None, UnreachableError("No server.", hint="Look.")
    )
    document = json.loads(path.with_suffix(".json").read_text())
    assert (document["source"], document["target"]) == (None, None)
    assert "No server. Look." in parsed(path.read_text()).text
