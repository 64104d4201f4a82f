"""The whole preflight: source and target in one verdict, one document, and nothing changed by looking."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from odyssey_assets.cli import cli
from odyssey_assets.configuration import ENV_POSTGRES, ENV_STATE_DIR
from odyssey_assets.errors import ConfigurationError, UnreachableError
from odyssey_assets.findings import Severity
from odyssey_assets.preflight.run import PreflightRequest, PreflightVerdict, run_preflight
from odyssey_assets.progress import Phase, Progress
from odyssey_assets.report.document import preflight_document
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.oracle import catalog, dump
from odyssey_assets_tests.plain_source import plant, write_database
from odyssey_assets_tests.statements import ask_sqlite, prisma_sql, run_postgres, run_sqlite


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_database(tmp_path / "odyssey.db")


def preflight(source: Path, uri: str, **options: Any) -> PreflightVerdict:
    request = PreflightRequest(source, parse_target_url(uri), source.parent / "snapshots", **options)
    return run_preflight(request)


def kinds(verdict: PreflightVerdict) -> list[tuple[str, str]]:
    return [(each.kind, each.table) for each in verdict.findings]


def test_a_sound_source_and_an_empty_database_have_no_finding(source: Path, database_uri: str) -> None:
    verdict = preflight(source, database_uri)
    assert verdict.ok
    assert verdict.findings == ()
    assert verdict.target["will_create_tables"] is True
    assert verdict.source == {
        "snapshot": {"id": verdict.snapshot.id, "sha256": verdict.snapshot.sha256, "bytes": verdict.snapshot.bytes},
        "schema_version": "v5",
        "tables": 37,
        "rows": 2 * 37,
        "absent_tables": [],
        "migrations": [],
    }


def test_everything_is_told_at_once(source: Path, database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5) + '; ALTER TABLE "Vote" ALTER "weight" TYPE real; DROP TABLE "Event"')
    plant(source, "User", 2, role="CEO")
    plant(source, "AuditLog", 1, userId="nobody")
    run_sqlite(source, 'CREATE TABLE "Diary" ("id" TEXT)')
    found = kinds(preflight(source, database_uri))
    assert {
        ("unknown_table", "Diary"),
        ("missing_target_table", "Event"),
        ("wrong_target_type", "Vote"),
        ("unknown_enum_label", "User"),
        ("dangling_soft_reference", "AuditLog"),
    } <= set(found)


def test_looking_changes_neither_side(source: Path, database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5))
    plant(source, "User", 2, role="CEO")
    before = (catalog(database_uri), dump(database_uri), source.read_bytes())
    assert not preflight(source, database_uri).ok
    assert (catalog(database_uri), dump(database_uri), source.read_bytes()) == before


def test_it_looks_at_a_private_snapshot(source: Path, database_uri: str) -> None:
    verdict = preflight(source, database_uri)
    assert stat.S_IMODE(verdict.snapshot.path.stat().st_mode) == 0o600


def test_only_the_tables_asked_for_are_looked_into(source: Path, database_uri: str) -> None:
    plant(source, "User", 2, role="CEO")
    assert preflight(source, database_uri, tables=frozenset({"Village"})).ok
    assert not preflight(source, database_uri, tables=frozenset({"User"})).ok


def test_warnings_do_not_stand_in_the_way(source: Path, database_uri: str) -> None:
    plant(source, "AuditLog", 1, userId="nobody")
    verdict = preflight(source, database_uri)
    assert verdict.ok
    assert [each.severity for each in verdict.findings] == [Severity.WARNING]


def test_a_target_whose_table_of_the_same_name_is_another_ones_is_a_finding(source: Path, database_uri: str) -> None:
    run_postgres(database_uri, 'CREATE TABLE "Session" (sid varchar NOT NULL, sess json)')
    found = kinds(preflight(source, database_uri))
    assert ("missing_target_column", "Session") in found
    assert ("unfillable_target_column", "Session") in found
    assert ("missing_target_table", "User") in found


@pytest.mark.parametrize("table", ["Vote", "sqlite_schema"])
def test_a_damaged_file_is_a_finding_or_one_sentence(source: Path, database_uri: str, table: str) -> None:
    ((vote,),) = ask_sqlite(source, "SELECT rootpage FROM sqlite_schema WHERE name = 'Vote'")
    ((size,),) = ask_sqlite(source, "PRAGMA page_size")
    start = (vote - 1) * size if table == "Vote" else 100
    with source.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * 64)
    if table == "Vote":
        assert {each.kind for each in preflight(source, database_uri).findings} == {"damaged_file"}
    else:
        with pytest.raises(Exception, match="damaged") as raised:
            preflight(source, database_uri)
        assert raised.value.exit_status == 1  # type: ignore[attr-defined]


def test_documents_for_jsonb_are_looked_into(source: Path, database_uri: str) -> None:
    plant(source, "User", 2, consents="{broken")
    assert preflight(source, database_uri).ok
    run_postgres(database_uri, prisma_sql(5) + '; ALTER TABLE "User" ALTER "consents" DROP DEFAULT, ALTER "consents" '
                 'TYPE jsonb USING "consents"::jsonb')  # fmt: skip
    assert ("not_json", "User") in kinds(preflight(source, database_uri))


def test_a_limit_of_the_target_that_a_text_exceeds_is_a_finding(source: Path, database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5) + '; ALTER TABLE "Village" ALTER "name" TYPE varchar(6)')
    plant(source, "Village", 2, name="sevennn")
    found = [each for each in preflight(source, database_uri).findings if each.kind == "too_long_for_column"]
    assert [(each.table, each.column, each.key) for each in found] == [("Village", "name", {"id": "Village-1"})]


def test_a_source_that_is_not_odysseys_is_refused(tmp_path: Path, database_uri: str) -> None:
    run_sqlite(tmp_path / "other.db", "CREATE TABLE t (a)")
    with pytest.raises(ConfigurationError, match="none of Odyssey's tables"):
        preflight(tmp_path / "other.db", database_uri)


def test_a_target_that_cannot_be_reached_is_told_before_the_source_is_read(source: Path, database_uri: str) -> None:
    with pytest.raises(UnreachableError):
        preflight(source, database_uri.rpartition("/")[0] + "/nowhere?sslmode=disable")
    assert not (source.parent / "snapshots").exists()


def test_progress_names_phases_and_tables(source: Path, database_uri: str) -> None:
    seen: list[Progress] = []
    run_preflight(PreflightRequest(source, parse_target_url(database_uri), source.parent / "snapshots"), seen.append)
    phases = list(dict.fromkeys(each.phase for each in seen))
    assert phases == [Phase.SNAPSHOT, Phase.SCHEMA, Phase.SURVEY, Phase.PREFLIGHT]
    assert sum(each.rows for each in seen if each.table == "Vote") == 2


def test_the_document_has_the_shape_of_the_contract(source: Path, database_uri: str) -> None:
    plant(source, "User", 2, role="CEO")
    document = json.loads(json.dumps(preflight_document(preflight(source, database_uri)), allow_nan=False))
    assert document["ok"] is False
    assert set(document) == {"ok", "source", "target", "findings", "harmless"}
    bad = [each for each in document["findings"] if each["severity"] == "error"]
    assert [(each["kind"], each["table"], each["column"], each["key"], each["count"]) for each in bad] == [
        ("unknown_enum_label", "User", "role", {"id": "User-1"}, 1)
    ]


@pytest.mark.parametrize("key", [b"\xff", "a\x00b", "", None, float("inf")])
def test_the_document_can_be_written_whatever_a_key_is(tmp_path: Path, database_uri: str, key: Any) -> None:
    source = write_database(tmp_path / "odyssey.db", is_bare=True)
    columns = '"name" TEXT, "createdAt" DATETIME, "updatedAt" DATETIME'
    run_sqlite(source, 'DROP TABLE "Village"', f'CREATE TABLE "Village" ("id", {columns})',
               """INSERT INTO "Village" VALUES ('Village-0', 'a', 0, 0), ('Village-1', 'b', 0, 0)""")  # fmt: skip
    plant(source, "Village", 2, id=key, name=b"x")
    found = json.loads(json.dumps(preflight_document(preflight(source, database_uri)), allow_nan=False))["findings"]
    assert {each["key"]["rowid"] for each in found if each["table"] == "Village"} == {2}


@pytest.fixture
def surroundings(tmp_path: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(ENV_POSTGRES, database_uri)
    monkeypatch.setenv(ENV_STATE_DIR, str(tmp_path / "state"))
    return database_uri


@pytest.mark.parametrize("is_bad", [False, True])
def test_the_command_prints_one_document_and_its_status_is_the_verdict(
    source: Path, surroundings: str, is_bad: bool
) -> None:
    if is_bad:
        plant(source, "User", 2, role="CEO")
    done = CliRunner().invoke(cli, ["preflight", "--sqlite", os.fspath(source), "--json"])
    document = json.loads(done.stdout)
    assert (done.exit_code, document["ok"]) == ((1, False) if is_bad else (0, True))
    assert ("unknown_enum_label: User.role [id=User-1]" in done.stderr) is is_bad
    assert dump(surroundings) == {}


def test_rows_of_a_table_that_the_source_lacks_are_a_warning(source: Path, database_uri: str) -> None:
    run_postgres(database_uri, prisma_sql(5))
    run_sqlite(source, 'DROP TABLE "VerificationToken"')
    without = preflight(source, database_uri)
    assert "rows_without_source" not in {each.kind for each in without.findings}
    run_postgres(database_uri, """INSERT INTO "VerificationToken" VALUES ('a', 'b', now())""")
    verdict = preflight(source, database_uri)
    (finding,) = (each for each in verdict.findings if each.kind == "rows_without_source")
    assert (finding.severity, finding.table, verdict.ok) == (Severity.WARNING, "VerificationToken", without.ok)
