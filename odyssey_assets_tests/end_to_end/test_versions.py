"""Every version of the source into every version of the target: carried whole, or refused with every reason."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.errors import FindingsError
from odyssey_assets.findings import Severity
from odyssey_assets.preflight.run import PreflightRequest, PreflightVerdict, run_preflight
from odyssey_assets.sync.outcome import Outcome
from odyssey_assets.sync.run import run
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.plain_source import create_table_sql, insert, sound_row, tables_of, write_database
from odyssey_assets_tests.statements import prisma_sql, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import request_for

VERSIONS = (1, 2, 3, 4, 5)
Told = tuple[str, str, str | None]


def obstacles(source: int, target: int) -> set[Told]:
    """What the facts say must stand in the way."""
    found: set[Told] = set()
    for name, table in tables_of(source).items():
        counterpart = tables_of(target).get(name)
        if counterpart is None:
            found.add(("missing_target_table", name, None))
            continue
        here = {column["name"] for column in table["columns"]}
        there = {column["name"]: column for column in counterpart["columns"]}
        found |= {("missing_target_column", name, column) for column in here - there.keys()}
        found |= {
            ("unfillable_target_column", name, column)
            for column in there.keys() - here
            if not there[column]["nullable"] and there[column]["postgres_default"] is None
        }
        keys_there = {key["name"] for key in counterpart["foreign_keys"]}
        if any(key["name"] not in keys_there and set(key["columns"]) <= there.keys() for key in table["foreign_keys"]):
            found.add(("missing_foreign_key", name, None))
    return found


def preflight(folder: Path, source: Path, uri: str, **options: Any) -> PreflightVerdict:
    return run_preflight(PreflightRequest(source, parse_target_url(uri), folder / "snapshots", **options))


def errors(verdict: PreflightVerdict) -> set[Told]:
    return {(each.kind, each.table, each.column) for each in verdict.findings if each.severity is Severity.ERROR}


def attempt(folder: Path, source: Path, uri: str, **options: Any) -> Outcome | FindingsError:
    try:
        return run(request_for(folder, source, uri, **options))
    except FindingsError as error:
        return error


def test_the_newest_version_has_what_the_first_lacks() -> None:
    assert obstacles(5, 1) >= {("missing_target_table", "UserPoints", None)}
    assert all(obstacles(version, version) == set() for version in VERSIONS)


@pytest.mark.parametrize("target", VERSIONS)
def test_every_version_goes_into_this_target_or_is_refused_with_every_reason(
    tmp_path: Path, database_uri: str, target: int
) -> None:
    run_postgres(database_uri, prisma_sql(target))
    for version in VERSIONS:
        source = write_database(tmp_path / f"v{version}.db", version=version)
        verdict = preflight(tmp_path, source, database_uri)
        outcome = attempt(tmp_path, source, database_uri)
        expected = obstacles(version, target)
        assert errors(verdict) == expected, version
        if expected:
            # What the checks find after the load is as good as what is found before it.
            assert isinstance(outcome, FindingsError) or not outcome.ok
            assert all(not rows for rows in dump(database_uri).values())
        else:
            assert isinstance(outcome, Outcome)
            assert outcome.problem is None
            assert differences(source, database_uri) == []
            named = ", ".join(f'"{name}"' for name in tables_of(target))
            run_postgres(database_uri, f"TRUNCATE {named} CASCADE; DROP SCHEMA odyssey_sync CASCADE")


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_a_database_that_grew_by_migrations_is_carried(tmp_path: Path, database_uri: str, version: int) -> None:
    source = write_database(tmp_path / "grown.db", version=version, reorder=-1)
    run_sqlite(source, 'CREATE INDEX "of another name" ON "User" ("email")', 'DROP INDEX "User_email_key"')
    assert preflight(tmp_path, source, database_uri).ok
    outcome = attempt(tmp_path, source, database_uri)
    assert isinstance(outcome, Outcome)
    assert outcome.ok
    assert outcome.source_version == version
    assert differences(source, database_uri) == []


def test_a_database_between_two_versions_is_carried_into_the_newer(tmp_path: Path, database_uri: str) -> None:
    source = write_database(tmp_path / "between.db", version=1)
    added = next(name for name in tables_of(5) if name not in tables_of(1) and not tables_of(5)[name]["foreign_keys"])
    run_sqlite(source, *create_table_sql(added))
    with closing(sqlite3.connect(source)) as connection, connection:
        insert(connection, added, sound_row(added, "0"))
    run_postgres(database_uri, prisma_sql(5))
    verdict = preflight(tmp_path, source, database_uri)
    outcome = attempt(tmp_path, source, database_uri)
    assert verdict.ok == (isinstance(outcome, Outcome) and outcome.ok)


UNKNOWN = {
    "table": ('CREATE TABLE "Diary" ("id" TEXT)', ("unknown_table", "Diary", None), "Diary"),
    "column": ('ALTER TABLE "User" ADD "shoeSize" INTEGER', ("unknown_column", "User", "shoeSize"), "User.shoeSize"),
}


@pytest.mark.parametrize(("statement", "finding", "name"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_the_schema_does_not_know_is_refused_until_it_is_allowed_by_name(
    tmp_path: Path, database_uri: str, statement: str, finding: Told, name: str
) -> None:
    source = write_database(tmp_path / "odyssey.db")
    run_sqlite(source, statement)
    assert errors(preflight(tmp_path, source, database_uri)) == {finding}
    refused = attempt(tmp_path, source, database_uri)
    assert isinstance(refused, FindingsError)
    assert f"--ignore-unknown {name}" in str(refused)
    assert dump(database_uri) == {}
    others = frozenset({"Other", f"{name}s"})
    assert errors(preflight(tmp_path, source, database_uri, ignore_unknown=others)) == {finding}
    allowed = frozenset({name})
    assert preflight(tmp_path, source, database_uri, ignore_unknown=allowed).ok
    outcome = attempt(tmp_path, source, database_uri, ignore_unknown=allowed)
    assert isinstance(outcome, Outcome)
    assert outcome.ok


def test_tables_that_a_version_lacks_are_reported_as_absent(tmp_path: Path, database_uri: str) -> None:
    source = write_database(tmp_path / "odyssey.db", version=1)
    verdict = preflight(tmp_path, source, database_uri)
    assert verdict.source["absent_tables"] == sorted(tables_of(5).keys() - tables_of(1).keys())
