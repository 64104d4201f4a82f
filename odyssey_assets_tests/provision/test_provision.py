"""``odyssey provision`` as an administrator meets it: the first run makes everything, the second changes nothing."""

import json
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest

from odyssey_assets.provision.roles import Duty, plan_for
from odyssey_assets.provision.telling import script
from odyssey_assets.target.binaries import major_version
from odyssey_assets_tests.provision.conftest import Place, password_of
from odyssey_assets_tests.statements import run_postgres

FIRST_WITH_OWNED_PUBLIC = 15
"""Up to PostgreSQL 14 the schema public of every database belongs to the superuser, and from 15 on to its owner."""

CHOSEN = "chosen & kept: 100%"


def log_of(place: Place) -> str:
    return (place.server.data_dir.parent / "postgres.log").read_text(errors="replace")


def test_the_second_run_changes_nothing_and_says_so(every_place: Place) -> None:
    first = every_place.provision("--app")
    assert first.exit_code == 0, first.output
    before = every_place.state()
    second = every_place.provision("--app")
    assert (second.exit_code, second.stdout) == (0, "")
    assert second.stderr == "Everything is there already; nothing was changed.\n"
    assert every_place.state() == before
    assert [row[2:] for row in before if len(row) > 1] == [(False, False, False)] * len(Duty)


def test_an_administrator_who_is_no_superuser_is_enough(place_of_a_plain_administrator: Place) -> None:
    place = place_of_a_plain_administrator
    if int(major_version(place.server.bin_dir)) < FIRST_WITH_OWNED_PUBLIC:
        refusal = place.provision()
        assert (refusal.exit_code, "Use a role that owns what it is about, or a superuser" in refusal.stderr) == (
            2,
            True,
        )
        return
    urls = place.urls()
    run_postgres(urls[Duty.OWNER], "CREATE TABLE t (a int); CREATE TABLE odyssey_sync.t (a int)")
    run_postgres(urls[Duty.SYNC], "INSERT INTO t VALUES (1); INSERT INTO odyssey_sync.t VALUES (1)")
    assert place.provision().stderr == "Everything is there already; nothing was changed.\n"


def test_an_administrator_without_the_right_is_told_so_and_nothing_is_left(place: Place) -> None:
    urls = place.urls()
    other = Place(place.server, urls[Duty.OWNER], f"{place.database}_other")
    result = other.provision()
    assert result.exit_code == 2
    assert "odyssey: The administrator lacks a right: permission denied to create database." in result.stderr
    assert "Traceback" not in result.output
    assert place.ask(f"SELECT count(*) FROM pg_roles WHERE rolname LIKE '{other.database}%'") == [(0,)]


def test_what_was_taken_away_is_given_again_and_nothing_else(place: Place) -> None:
    urls = place.urls()
    run_postgres(urls[Duty.OWNER], "CREATE TABLE t (a int)")
    before = place.state()
    run_postgres(
        place.server.uri_of(place.database),
        f'REVOKE DELETE ON t FROM "{place.database}_sync"; GRANT CREATE ON SCHEMA public TO PUBLIC',
    )
    assert place.state() != before
    result = place.provision()
    assert result.stderr.splitlines() == [
        "took CREATE on the schema public from PUBLIC",
        f"granted SELECT, INSERT, UPDATE, DELETE on the tables of public to {place.database}_sync",
    ]
    assert result.stdout == ""
    assert place.state() == before


def test_tables_that_were_there_before_are_opened_too(place: Place) -> None:
    run_postgres(place.server.uri_of("postgres"), "SELECT 1")
    with psycopg.connect(place.server.uri_of("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {place.database}")  # type: ignore[call-overload]
    run_postgres(place.server.uri_of(place.database), "CREATE TABLE old (id serial, a int)")
    urls = place.urls()
    run_postgres(urls[Duty.SYNC], "INSERT INTO old (a) VALUES (1)")
    run_postgres(urls[Duty.VERIFY], "SELECT * FROM old")


def test_another_schema_is_made_and_named_in_the_urls(place: Place) -> None:
    urls = place.urls("--schema", 'Odd "one"')
    assert all(url.endswith("&schema=Odd%20%22one%22") for url in urls.values())
    owner = urls[Duty.OWNER].split("&schema=")[0]
    run_postgres(owner, 'CREATE TABLE "Odd ""one""".t (a int)')
    with psycopg.connect(urls[Duty.VERIFY].split("&schema=")[0]) as connection:
        assert connection.execute('SELECT count(*) FROM "Odd ""one""".t').fetchone() == (0,)


def test_no_password_reaches_the_server_or_its_log(place: Place) -> None:
    run_postgres(place.server.uri_of("postgres"), "SELECT 1")
    with psycopg.connect(place.server.uri_of("postgres"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        connection.execute("SELECT pg_reload_conf()")
        try:
            urls = place.urls("--app")
        finally:
            connection.execute("ALTER SYSTEM RESET log_statement")
            connection.execute("SELECT pg_reload_conf()")
    log = log_of(place)
    assert f'CREATE ROLE "{place.database}_sync"' in log
    passwords = {password_of(url) for url in urls.values()}
    assert len(passwords) == len(Duty)
    assert not any(password in log for password in passwords)
    assert all(str(row[1]).startswith("SCRAM-SHA-256$") for row in place.state() if len(row) > 1)


def test_a_password_from_a_file_holds_and_is_changed_where_it_does_not(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{CHOSEN}\n")
    url = place.urls("--password-file", f"sync={file}")[Duty.SYNC]
    assert CHOSEN not in url
    psycopg.connect(url).close()
    assert place.provision("--password-file", f"sync={file}").stderr.startswith("Everything is there already")
    file.write_text(f"{CHOSEN} anew\n")
    result = place.provision("--password-file", f"sync={file}")
    assert result.stderr == f"changed the password of {place.database}_sync\n"
    assert [line.split("=")[0] for line in result.stdout.splitlines()[1:]] == ["POSTGRES_URL_SYNC"]
    assert CHOSEN not in result.output
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


@pytest.mark.parametrize(
    ("text", "content", "said"),
    [
        ("sync", "x" * 20, "--password-file takes DUTY=FILE"),
        ("boss={file}", "x" * 20, "--password-file takes DUTY=FILE"),
        ("sync={file}-missing", "x" * 20, "cannot be read: No such file or directory"),
        ("sync={file}", "s3cr3t", "must hold one line of 12 or more"),
        ("sync={file}", "s3cr3t-s3cr3t\nsecond line", "must hold one line of 12 or more"),
    ],
)
def test_a_password_file_that_is_none_is_refused(
    place: Place, tmp_path: Path, text: str, content: str, said: str
) -> None:
    file = tmp_path / "password"
    file.write_text(content)
    result = place.provision("--password-file", text.format(file=file))
    assert result.exit_code == 2
    assert said in result.stderr
    assert "s3cr3t" not in result.output


def test_new_passwords_end_the_old_ones(place: Place) -> None:
    old, new = place.urls(), place.urls("--new-passwords")
    assert set(new) == set(old)
    for duty in old:
        psycopg.connect(new[duty]).close()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(old[duty])


def test_an_env_file_is_its_owners_alone_and_is_never_overwritten(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "roles.env"
    result = place.provision("--write-env", file, "--json")
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["roles.env"]
    shell = ["sh", "-c", '. "$0" && printf %s "$POSTGRES_URL_SYNC"', str(file)]
    url = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
    psycopg.connect(url).close()
    assert password_of(url) not in result.output
    roles = json.loads(result.stdout)["roles"]
    assert [(role["duty"], role["password_set"], role["url"]) for role in roles] == [
        (duty, True, None) for duty in ("owner", "sync", "verify")
    ]
    again = place.provision("--write-env", file, "--new-passwords")
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)
    psycopg.connect(url).close()


def test_an_env_file_that_cannot_be_written_leaves_no_role_with_a_lost_password(place: Place, tmp_path: Path) -> None:
    result = place.provision("--write-env", tmp_path / "no such folder" / "roles.env")
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.stderr
    assert place.ask(f"SELECT count(*) FROM pg_roles WHERE rolname LIKE '{place.database}%'") == [(0,)]


def test_a_superuser_of_the_same_name_is_left_alone(place: Place) -> None:
    role = f"{place.database}_verify"
    run_postgres(place.server.uri_of("postgres"), f"CREATE ROLE {role} SUPERUSER LOGIN")
    result = place.provision()
    assert result.exit_code == 3
    assert f"The role {role} is there already and is a superuser" in result.stderr


def test_print_shows_statements_that_do_the_same_and_does_nothing(place: Place) -> None:
    shown = place.provision("--print", "--app")
    assert shown.exit_code == 0, shown.output
    with psycopg.connect(place.server.uri_of("postgres")) as connection:
        there = connection.execute("SELECT FROM pg_database WHERE datname = %s", [place.database]).fetchall()
    assert there == []
    passwords = [word for duty in Duty for word in ("-v", f"{duty}_password=a-password-of-{duty}")]
    script = "\n".join(line for line in shown.stdout.splitlines() if not line.startswith("\\prompt"))
    psql = [place.server.bin_dir / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *passwords, place.admin]
    done = subprocess.run(psql, input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, "ERROR" in done.stderr) == (0, False), done.stderr
    assert place.provision("--app").stderr == "Everything is there already; nothing was changed.\n"


@pytest.mark.parametrize("names", [["--database", ""], ["--schema", "pg_mine"], ["--role-prefix", "x" * 60]])
def test_names_postgresql_would_not_keep_are_refused(place: Place, names: list[str]) -> None:
    result = place.provision(*names)
    assert result.exit_code == 2
    assert result.stderr.startswith("odyssey: PostgreSQL ")


def test_an_administrator_who_cannot_be_reached_is_status_4(place: Place) -> None:
    wrong = place.admin.replace(password_of(place.admin), "wr0ng-s3cret")
    result = Place(place.server, wrong, place.database).provision()
    assert result.exit_code == 4
    assert "cannot be reached as administrator" in result.stderr
    assert "wr0ng-s3cret" not in result.output


def test_the_administrator_can_be_named_by_a_file(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "admin").write_text(place.admin + "\n")
    nobody = Place(place.server, "", place.database)
    monkeypatch.delenv("ODYSSEY_ADMIN_URL", raising=False)
    assert "No administrator was named." in nobody.provision().stderr
    monkeypatch.setenv("ODYSSEY_ADMIN_URL_FILE", str(tmp_path / "admin"))
    assert nobody.provision().exit_code == 0


def test_the_documentation_shows_these_statements() -> None:
    page = Path(__file__).parents[2] / "docs" / "connections.md"
    assert script(plan_for("odyssey", "public", "", with_application=True)) in page.read_text()
