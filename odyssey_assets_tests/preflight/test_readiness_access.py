"""Readiness of the target: what the role may do there, what is there already, and who else is at work."""

import time
from urllib.parse import urlsplit

import pytest

from odyssey_assets.findings import Severity
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.preflight.targets import ROLE, findings_of, held, seen
from odyssey_assets_tests.statements import ask_postgres, run_postgres


def test_a_role_without_any_right_lacks_each(application: TargetUrl) -> None:
    findings = findings_of(application, ROLE)
    assert seen(findings) == [("error", "missing_right", 1), *[("error", "missing_right", 37)] * 4]
    database = urlsplit(application.uri).path[1:]
    assert findings[0].detail == (
        "the PostgreSQL role may not create the schema odyssey_sync; "
        f'GRANT CREATE ON DATABASE "{database}" TO "nobody_special"'
    )
    assert findings[1].detail == (
        "the PostgreSQL role lacks SELECT on AIUsageLog, Account, Achievement, AuditLog, AuthSession and 32 more; "
        'let it own the tables, or GRANT SELECT ON them TO "nobody_special"'
    )


def test_a_role_with_every_right_lacks_none(two_tables: TargetUrl) -> None:
    grants = (
        "CREATE SCHEMA odyssey_sync; CREATE ROLE nobody_special; GRANT ALL ON SCHEMA odyssey_sync TO nobody_special; "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO nobody_special; "
        "SET LOCAL ROLE nobody_special"
    )
    assert findings_of(two_tables, grants) == ()


def test_a_single_missing_right_is_one_finding(two_tables: TargetUrl) -> None:
    grants = (
        "CREATE SCHEMA odyssey_sync; CREATE ROLE nobody_special; GRANT ALL ON SCHEMA odyssey_sync TO nobody_special; "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO nobody_special; "
        'REVOKE DELETE ON "Village" FROM nobody_special; SET LOCAL ROLE nobody_special'
    )
    (finding,) = findings_of(two_tables, grants)
    assert (finding.severity, finding.kind, finding.count) == (Severity.ERROR, "missing_right", 1)
    assert finding.detail.startswith("the PostgreSQL role lacks DELETE on Village; ")


@pytest.mark.parametrize(
    ("schema", "will_create", "lacks"),
    [
        ("public", False, ["may not create the schema odyssey_sync"]),
        (
            "public",
            True,
            ["may not create the schema odyssey_sync", "may not create tables in the schema public"],
        ),
        ("app", True, ["may not create the schema app and the schema odyssey_sync"]),
    ],
)
def test_what_is_to_be_made_takes_the_right_to_make_it(
    database_uri: str, schema: str, will_create: bool, lacks: list[str]
) -> None:
    findings = findings_of(
        parse_target_url(database_uri),
        f"REVOKE CREATE ON SCHEMA public FROM PUBLIC; {ROLE}",
        schema=schema,
        will_create=will_create,
    )
    assert [finding.detail.split("; ")[0] for finding in findings] == [f"the PostgreSQL role {lack}" for lack in lacks]


def test_a_schema_that_may_not_be_entered_is_not_looked_into(two_tables: TargetUrl) -> None:
    findings = findings_of(
        two_tables,
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC; CREATE SCHEMA odyssey_sync; CREATE ROLE nobody_special; "
        "GRANT ALL ON SCHEMA odyssey_sync TO nobody_special; "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO nobody_special; "
        "SET LOCAL ROLE nobody_special",
    )
    assert [finding.detail for finding in findings] == [
        'the PostgreSQL role may not use the schema public; GRANT USAGE ON SCHEMA "public" TO "nobody_special"'
    ]


def test_rows_that_are_hidden_from_the_role_are_an_error(two_tables: TargetUrl) -> None:
    findings = findings_of(
        two_tables,
        'ALTER TABLE "User" ENABLE ROW LEVEL SECURITY; CREATE SCHEMA odyssey_sync; CREATE ROLE nobody_special; '
        "GRANT ALL ON SCHEMA odyssey_sync TO nobody_special; "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO nobody_special; "
        "SET LOCAL ROLE nobody_special",
    )
    assert seen(findings) == [("error", "row_level_security", 1)]
    assert "hides rows of User from the role nobody_special" in findings[0].detail


def test_tables_that_hold_rows_are_a_warning(two_tables: TargetUrl) -> None:
    run_postgres(two_tables.uri, 'CREATE TABLE notes (id text); INSERT INTO notes VALUES (1); '
                 'INSERT INTO "User" SELECT n FROM generate_series(1, 1200) n')  # fmt: skip
    (finding,) = findings_of(two_tables)
    assert (finding.severity, finding.kind, finding.count) == (Severity.WARNING, "leftover_rows", 1)
    assert finding.detail.startswith(
        "1 of 2 tables already hold rows (User), a number of rows not known before ANALYZE"
    )
    run_postgres(two_tables.uri, "ANALYZE")
    (finding,) = findings_of(two_tables)
    assert finding.detail.startswith("1 of 2 tables already hold rows (User), about 1,200 rows together; ")


def test_a_table_that_was_emptied_holds_none_whatever_the_estimate_says(two_tables: TargetUrl) -> None:
    run_postgres(two_tables.uri, 'INSERT INTO "User" VALUES (1); ANALYZE; DELETE FROM "User"')
    assert findings_of(two_tables) == ()


def test_a_lock_that_others_hold_is_named_and_not_waited_for(two_tables: TargetUrl) -> None:
    began = time.monotonic()
    with held(two_tables, 'LOCK TABLE "User" IN ACCESS EXCLUSIVE MODE') as pid:
        ((since,),) = ask_postgres(
            two_tables.uri,
            "SELECT to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM pg_stat_activity "
            f"WHERE pid = {pid}",
        )
        (finding,) = findings_of(two_tables)
    assert time.monotonic() - began < 10
    assert (finding.severity, finding.kind, finding.table) == (Severity.WARNING, "held_lock", "User")
    assert finding.detail == (
        f"session {pid} (reporting) holds AccessExclusiveLock since {since} UTC; "
        "a run waits 30 s for it and then gives up"
    )


def test_since_when_is_said_to_be_unknown_where_the_role_may_not_see_it(two_tables: TargetUrl) -> None:
    with held(two_tables, 'LOCK TABLE "User" IN SHARE MODE'):
        findings = findings_of(two_tables, ROLE)
    assert " (reporting) holds ShareLock for a time that this role may not see; " in findings[-1].detail


def test_readers_are_in_the_way_only_while_a_table_is_empty(two_tables: TargetUrl) -> None:
    with held(two_tables, 'SELECT * FROM "User"'):
        assert seen(findings_of(two_tables)) == [("warning", "held_lock", 1)]
    run_postgres(two_tables.uri, 'INSERT INTO "User" VALUES (1); INSERT INTO "Village" VALUES (1)')
    with held(two_tables, 'SELECT * FROM "User"'):
        assert seen(findings_of(two_tables)) == [("warning", "leftover_rows", 2)]
    with held(two_tables, 'SELECT * FROM "User"; LOCK TABLE "User" IN SHARE MODE') as pid:
        _, finding = findings_of(two_tables)
    assert finding.detail.startswith(f"session {pid} (reporting) holds ShareLock since ")


def test_locks_of_ones_own_and_on_other_tables_are_no_matter(two_tables: TargetUrl) -> None:
    run_postgres(two_tables.uri, 'CREATE TABLE notes (id text); CREATE SCHEMA o; CREATE TABLE o."User" (id text)')
    with held(two_tables, 'LOCK TABLE notes, o."User" IN ACCESS EXCLUSIVE MODE'):
        assert findings_of(two_tables, 'LOCK TABLE "User" IN ACCESS EXCLUSIVE MODE') == ()
