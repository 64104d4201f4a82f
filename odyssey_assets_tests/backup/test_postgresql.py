"""PostgreSQL's side: what is dumped is what is restored, on every server, and nothing is replaced by accident."""

import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from odyssey_assets.backup import pg_tools
from odyssey_assets.backup.drill import DrillPlace, drill
from odyssey_assets.backup.manifest import Kind, TableContent
from odyssey_assets.backup.postgresql import back_up_postgresql, restore_postgresql
from odyssey_assets.backup.store import data_path, find_backup, list_backups
from odyssey_assets.errors import ConfigurationError, IntegrityError, RefusedError, UnreachableError
from odyssey_assets.target import opening
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.backup.conftest import flip_a_byte
from odyssey_assets_tests.conftest import fresh_database
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.statements import ask_postgres, run_postgres


def databases(url: TargetUrl) -> set[str]:
    return {name for (name,) in ask_postgres(url.uri, "SELECT datname FROM pg_database")}


def test_a_backup_is_described_and_closed_to_others(every_filled_url: TargetUrl, source: Path, backups: Path) -> None:
    manifest = back_up_postgresql(every_filled_url, backups, note="before the switch")
    assert list_backups(backups).readable == (manifest,)
    assert (manifest.kind, manifest.note, manifest.is_pinned) == (Kind.POSTGRESQL, "before the switch", False)
    assert not manifest.is_restorable
    path = data_path(backups, manifest)
    assert path.read_bytes()[:5] == b"PGDMP"
    assert [each.stat().st_mode & 0o777 for each in (backups, path.parent, path)] == [0o700, 0o700, 0o600]
    ((version,),) = ask_postgres(every_filled_url.uri, "SELECT current_setting('server_version_num')")
    assert manifest.versions["server"] == version
    assert int(manifest.versions["pg_dump"].split(".")[0]) >= int(version) // 10_000
    counted = {
        name: ask_postgres(every_filled_url.uri, f'SELECT count(*) FROM {name.split(".")[0]}."{name.split(".")[1]}"')[
            0
        ][0]
        for name in manifest.tables
    }
    assert {name: table.rows for name, table in manifest.tables.items()} == counted
    assert len([name for name in counted if name.startswith("public.")]) == 37
    assert all(table.is_as_published for name, table in manifest.tables.items() if name.startswith("public."))
    assert {table.is_as_published for name, table in manifest.tables.items() if "odyssey_sync" in name} == {None}


def test_a_drill_proves_it_and_leaves_nothing(filled_url: TargetUrl, backups: Path, place: DrillPlace) -> None:
    run_postgres(filled_url.uri, """UPDATE "Village" SET name = 'Elsewhere'""")
    before = databases(filled_url)
    drilled = drill(backups, back_up_postgresql(filled_url, backups), place)
    assert drilled.is_restorable
    assert find_backup(backups, drilled.id) == drilled
    assert "every table's digest equal, 36 of them as the ledger has it" in drilled.drills[0].detail
    assert databases(filled_url) == before


def test_the_digests_are_of_what_is_in_the_dump_whoever_writes_meanwhile(
    filled_url: TargetUrl, backups: Path, place: DrillPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pg_tools.dump

    def write_around(tools: pg_tools.Tools, url: TargetUrl, path: Path, *, snapshot: str) -> None:
        run_postgres(url.uri, """UPDATE "Village" SET name = 'before the dump'""")
        real(tools, url, path, snapshot=snapshot)
        run_postgres(url.uri, """UPDATE "Village" SET name = 'after the dump'""")

    monkeypatch.setattr("odyssey_assets.backup.postgresql.dump", write_around)
    manifest = back_up_postgresql(filled_url, backups)
    assert manifest.tables["public.Village"].is_as_published
    assert drill(backups, manifest, place).is_restorable


FAULTS = {
    "a changed cell": """UPDATE "Village" SET name = name || ' ' WHERE id = (SELECT min(id) FROM "Village")""",
    "a lost row": """DELETE FROM "Vote" WHERE id = (SELECT min(id) FROM "Vote")""",
    "a lost table": 'DROP TABLE "HRISSync"',
    "one table more": "CREATE TABLE more (i integer)",
    "a changed ledger": "UPDATE odyssey_sync.published_table SET target_digest = '1'",
}


def test_a_restore_that_differs_in_anything_is_found(
    filled_url: TargetUrl, backups: Path, place: DrillPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pg_tools.restore
    faults: list[str] = []

    def restore_badly(tools: pg_tools.Tools, path: Path, url: TargetUrl, **options: Any) -> None:
        real(tools, path, url, **options)
        run_postgres(url.uri, faults[-1])

    manifest = back_up_postgresql(filled_url, backups)
    monkeypatch.setattr("odyssey_assets.backup.drill.restore", restore_badly)
    for name, fault in FAULTS.items():
        faults.append(fault)
        drilled = drill(backups, manifest, place)
        assert not drilled.is_restorable, name
        assert "is not what was dumped" in drilled.drills[-1].detail, name


def test_one_flipped_byte_is_enough_to_refuse_it(filled_url: TargetUrl, backups: Path, place: DrillPlace) -> None:
    manifest = back_up_postgresql(filled_url, backups)
    path = data_path(backups, manifest)
    whole = path.read_bytes()
    for at in (0.0, 0.5, 0.999):
        flip_a_byte(path, at)
        drilled = drill(backups, manifest, place)
        assert (drilled.is_restorable, "is damaged" in drilled.drills[-1].detail) == (False, True)
        with pytest.raises(IntegrityError, match="is damaged"):
            restore_postgresql(backups, manifest, filled_url, replaces=True)
        path.write_bytes(whole)
    assert ask_postgres(filled_url.uri, 'SELECT count(*) > 0 FROM "Village"') == [(True,)]
    assert drill(backups, manifest, place).is_restorable


def test_into_an_empty_database_everything_comes_back(
    every_server: EmbeddedServer, every_filled_url: TargetUrl, source: Path, backups: Path
) -> None:
    manifest = back_up_postgresql(every_filled_url, backups)
    with fresh_database(every_server) as empty:
        restored = restore_postgresql(backups, manifest, parse_target_url(empty))
        assert (restored.database, restored.kept) == (urlsplit(empty).path.strip("/"), None)
        assert differences(source, empty) == []
        assert dump(empty) == dump(every_filled_url.uri)


def test_a_database_that_holds_something_is_replaced_only_when_told_to_and_kept(
    filled_url: TargetUrl, source: Path, backups: Path
) -> None:
    manifest = back_up_postgresql(filled_url, backups)
    run_postgres(filled_url.uri, 'DROP TABLE "Vote"')
    before, names = dump(filled_url.uri), databases(filled_url)
    with pytest.raises(RefusedError, match=r"is not empty\. .*--replace"):
        restore_postgresql(backups, manifest, filled_url)
    assert dump(filled_url.uri) == before
    restored = restore_postgresql(backups, manifest, filled_url, replaces=True)
    assert restored.kept is not None
    try:
        assert differences(source, filled_url.uri) == []
        assert databases(filled_url) == names | {restored.kept}
        kept = urlsplit(filled_url.uri)._replace(path=f"/{restored.kept}").geturl()
        assert dump(kept) == before
    finally:
        with closing(psycopg.connect(filled_url.uri, autocommit=True)) as connection:
            connection.execute(f'DROP DATABASE "{restored.kept}"')  # type: ignore[call-overload]


def test_it_is_not_replaced_under_somebody(filled_url: TargetUrl, backups: Path) -> None:
    manifest = back_up_postgresql(filled_url, backups)
    names = databases(filled_url)
    with psycopg.connect(filled_url.uri, application_name="the application") as connection:
        connection.execute("SELECT 1")
        with pytest.raises(RefusedError, match=r"Somebody is connected .* the application \(pid \d+, "):
            restore_postgresql(backups, manifest, filled_url, replaces=True)
    assert databases(filled_url) == names


def test_a_killed_drills_database_goes_with_the_next_drill_and_a_living_ones_stays(
    filled_url: TargetUrl, backups: Path, place: DrillPlace
) -> None:
    manifest = back_up_postgresql(filled_url, backups)
    with closing(psycopg.connect(filled_url.uri, autocommit=True)) as connection:
        for name in ("odyssey_drill_killed", "odyssey_drill_living"):
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")  # type: ignore[call-overload]
        connection.execute("SELECT pg_advisory_lock(hashtextextended('odyssey_drill_living', 0))")
        try:
            assert drill(backups, manifest, place).is_restorable
            assert {name for name in databases(filled_url) if "odyssey_drill" in name} == {"odyssey_drill_living"}
        finally:
            connection.execute("DROP DATABASE odyssey_drill_living")


def as_role(url: TargetUrl, name: str) -> TargetUrl:
    parts = urlsplit(url.uri)
    return parse_target_url(parts._replace(netloc=f"{name}:few%20words@{parts.hostname}:{parts.port}").geturl())


def test_a_role_that_may_not_create_databases_is_told_of_the_way_out(
    filled_url: TargetUrl, backups: Path, place: DrillPlace
) -> None:
    manifest = back_up_postgresql(filled_url, backups)
    run_postgres(filled_url.uri, "CREATE ROLE few_rights LOGIN PASSWORD 'few words'")
    try:
        few = as_role(filled_url, "few_rights")
        with pytest.raises(ConfigurationError, match=r"CREATEDB.*--scratch-url"):
            drill(backups, manifest, replace(place, admin=few))
        assert find_backup(backups, manifest.id).drills == ()
        with pytest.raises(ConfigurationError, match=r"lacks a right: .*permission denied for table"):
            back_up_postgresql(few, backups)
    finally:
        run_postgres(filled_url.uri, "DROP ROLE few_rights")
    assert list_backups(backups).readable == (manifest,)


def test_programs_older_than_the_server_are_told(
    filled_url: TargetUrl, backups: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (old / name).write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 13.4'\n")
        (old / name).chmod(0o755)
    monkeypatch.setattr(pg_tools, "tool_folders", lambda: (old,))
    with pytest.raises(ConfigurationError, match=r"PostgreSQL \d+, and of pg_dump there is only 13.4 here"):
        back_up_postgresql(filled_url, backups)
    monkeypatch.setattr(pg_tools, "tool_folders", lambda: (tmp_path,))
    with pytest.raises(ConfigurationError, match="of pg_dump there is none here"):
        back_up_postgresql(filled_url, backups)
    assert list_backups(backups).readable == ()


def test_programs_newer_than_the_server_will_do(
    every_filled_url: TargetUrl, backups: Path, every_place: DrillPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = pg_tools.tool_folders()[:1]
    monkeypatch.setattr(pg_tools, "tool_folders", lambda: newest)
    assert drill(backups, back_up_postgresql(every_filled_url, backups), every_place).is_restorable


def test_the_password_is_never_on_a_command_line(
    filled_url: TargetUrl, backups: Path, place: DrillPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = subprocess.run

    def watch(command: Any, **options: Any) -> Any:
        seen.append(" ".join(map(str, command)))
        return real(command, **options)

    monkeypatch.setattr(pg_tools.subprocess, "run", watch)
    assert drill(backups, back_up_postgresql(filled_url, backups), place).is_restorable
    assert any("--dbname=" in command for command in seen)
    assert not [command for command in seen for secret in filled_url.secrets if secret in command]


def test_a_server_that_cannot_be_reached_leaves_nothing(backups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "TRIES", 1)
    with pytest.raises(UnreachableError):
        back_up_postgresql(parse_target_url("postgresql://u:p@127.0.0.1:1/x"), backups)
    assert list(backups.iterdir()) == []


def test_tables_of_every_schema_are_in_it(filled_url: TargetUrl, backups: Path, place: DrillPlace) -> None:
    run_postgres(filled_url.uri, 'CREATE SCHEMA "other One"; CREATE TABLE "other One".t (x jsonb, p point, f float8)')
    run_postgres(filled_url.uri, """INSERT INTO "other One".t VALUES ('{"a": 1.0}', '(1,2)', '-0.0')""")
    drilled = drill(backups, back_up_postgresql(filled_url, backups), place)
    assert drilled.tables["other One.t"] == TableContent(1, drilled.tables["other One.t"].digest)
    assert drilled.is_restorable
