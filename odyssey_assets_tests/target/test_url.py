"""URLs in Prisma's, libpq's and SQLAlchemy's dialects, and passwords that must not show."""

from urllib.parse import quote

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.extensions import parse_dsn
from sqlalchemy.engine import make_url

from odyssey_assets.errors import ConfigurationError
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets.target.url import dagster_url, parse_target_url, redact

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


def connect_arguments(url: str) -> dict[str, object]:
    parsed = make_url(url)
    return parsed.get_dialect()().create_connect_args(parsed)[1]


@pytest.mark.parametrize(
    ("given_url", "uri"),
    [
        ("postgres://u:p@h:5433/d", "postgresql://u:p@h:5433/d"),
        ("  postgresql://u@h/d\n", "postgresql://u@h/d"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql://u:p@h/d"),
        ("POSTGRESQL://u:p@h/d", "postgresql://u:p@h/d"),
        ("postgresql://u:p@[2001:db8::1]:5432/d", "postgresql://u:p@[2001:db8::1]:5432/d"),
        ("postgresql://u:p@h1:1,h2,[::1]:3/d", "postgresql://u:p@h1:1,h2,[::1]:3/d"),
        ("postgresql://u:p@/d?host=/var/run/postgresql", "postgresql://u:p@/d?host=/var/run/postgresql"),
        ("postgresql://u:p@%2Fvar%2Frun/d", "postgresql://u:p@%2Fvar%2Frun/d"),
        ("postgresql://u:p@ss@h/d", "postgresql://u:p%40ss@h/d"),
        ("postgresql://u:p#ss@h/d", "postgresql://u:p%23ss@h/d"),
    ],
)
def test_every_form_of_a_postgresql_url_becomes_libpqs(given_url: str, uri: str) -> None:
    assert parse_target_url(given_url).uri == uri


def test_prismas_parameters_are_taken_out_and_libpqs_stay() -> None:
    url = parse_target_url(
        "postgres://u:p@h/d?schema=app&connection_limit=5&pool_timeout=2&pgbouncer=true&socket_timeout=3"
        "&statement_cache_size=0&connect_timeout=10&sslmode=require&options=-c%20statement_timeout%3D5s"
    )
    assert parse_dsn(url.uri) == {
        "user": "u",
        "password": "p",
        "host": "h",
        "dbname": "d",
        "connect_timeout": "10",
        "sslmode": "require",
        "options": "-c statement_timeout=5s",
    }
    assert (url.schema, url.is_pooled) == ("app", True)


def test_without_prismas_parameters_the_defaults_hold() -> None:
    url = parse_target_url("postgres://u:p@h/d?schema=&pgbouncer=false")
    assert (url.schema, url.is_pooled) == ("public", False)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sslmode=require&sslcert=ca.pem", {"sslmode": "require"}),
        ("sslmode=require&sslcert=ca.pem&sslaccept=accept_invalid_certs", {"sslmode": "require"}),
        ("sslcert=ca.pem&sslaccept=strict", {"sslmode": "verify-full", "sslrootcert": "ca.pem"}),
        ("sslmode=require&sslaccept=strict", {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("sslmode=disable&sslaccept=strict", {"sslmode": "disable"}),
        ("sslidentity=me.p12&sslpassword=x", {}),
        ("sslcert=me.pem&sslkey=me.key&sslpassword=x", {"sslcert": "me.pem", "sslkey": "me.key", "sslpassword": "x"}),
    ],
)
def test_certificates_keep_their_meaning(query: str, expected: dict[str, str]) -> None:
    parsed = parse_dsn(parse_target_url(f"postgres://h/d?{query}").uri)
    assert parsed == {"host": "h", "dbname": "d", **expected}


@given(user=TEXT, password=TEXT, database=TEXT)
def test_any_user_password_and_database_reach_both_drivers_unchanged(user: str, password: str, database: str) -> None:
    given_url = f"postgres://{quote(user, safe='')}:{quote(password, safe='')}@h:5432/{quote(database, safe='')}"
    uri = parse_target_url(given_url).uri
    parsed = parse_dsn(uri)
    assert (parsed["user"], parsed["password"], parsed["dbname"]) == (user, password, database)
    arguments = connect_arguments(dagster_url(uri))
    assert (arguments["user"], arguments["password"], arguments["dbname"]) == (user, password, database)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("postgresql://u:p@[::1]:5432/d", {"host": "::1", "port": 5432}),
        ("postgresql://u:p@h1:1,[::1]:2/d", {"host": "h1,::1", "port": "1,2"}),
        ("postgresql://u:p@h1,h2:2/d?sslmode=require", {"host": "h1,h2", "port": ",2", "sslmode": "require"}),
        ("postgresql://u:p@%2Fvar%2Frun/d", {"host": "/var/run"}),
        ("postgresql://u:p@/d?host=/var/run", {"host": "/var/run"}),
    ],
)
def test_dagsters_url_means_the_same_place(uri: str, expected: dict[str, object]) -> None:
    assert connect_arguments(dagster_url(uri)) == {"user": "u", "password": "p", "dbname": "d", **expected}


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "mysql://u:s3cret@h/d",
        "file:./dev.db",
        "prisma+postgres://accelerate.example/?api_key=s3cret",
        "host=h user=u password=s3cret",
        "postgresql://u:s3cret@h:port/d",
        "postgresql://u:s3cret@h:0/d",
        "postgresql://u:s3cret@h:65536/d",
        "postgresql://u:s3cret@h:1:2/d",
        "postgresql://u:s3cret@[::1/d",
        "postgresql://u:s3cret/rest@h/d",
        "postgresql://u:123/s3cret@h/d",
        "postgresql://u:1?s3cret@h/d",
        "postgresql://u:1?s3cret=x@h/d",
        "postgresql://u:s3cret%00@h/d",
        "postgresql://u:s3cret%FF@h/d",
        "postgresql://u:s3cret@h/d?sslmod=require",
        "postgresql://u:s3cret@h/d?sslmode",
    ],
)
def test_anything_else_is_refused_without_repeating_the_password(bad: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_target_url(bad)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.exit_status == 2


def test_a_mistyped_parameter_is_named() -> None:
    with pytest.raises(ConfigurationError, match="unknown parameter 'sslmod'"):
        parse_target_url("postgresql://u:p@h/d?sslmod=require")


def test_neither_repr_nor_the_redacted_form_shows_a_password() -> None:
    url = parse_target_url("postgres://u:s3cret%40@h:5432/d?password=0ther&sslkey=k&sslpassword=th1rd&schema=app")
    assert url.redacted == "postgresql://u:***@h:5432/d?password=***&sslkey=k&sslpassword=***"
    for hidden in ("s3cret", "0ther", "th1rd"):
        assert hidden not in repr(url)
        assert hidden not in str(url)


@given(password=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20))
def test_redaction_finds_the_password_in_every_spelling(password: str) -> None:
    url = parse_target_url(f"postgres://u:{quote(password, safe='')}@h/d")
    by_sqlalchemy = dagster_url(url.uri).removeprefix("postgresql+psycopg2://u:").removesuffix("@h/d")
    for spelling in (password, quote(password), quote(password, safe="").lower(), by_sqlalchemy):
        assert redact(f"\x01{spelling}\x02", url) == "\x01***\x02"


def test_redaction_leaves_text_alone_where_there_is_no_password() -> None:
    assert redact("connection refused", parse_target_url("postgres://u:@h/d")) == "connection refused"


def test_the_url_as_typed_is_redacted_too() -> None:
    url = parse_target_url("postgres://u:50%off%2f@h/d")
    assert redact("cannot connect to postgres://u:50%off%2f@h/d", url) == "cannot connect to postgres://u:***@h/d"


def test_the_servers_own_url_still_connects_after_parsing(server: EmbeddedServer) -> None:
    url = parse_target_url(server.uri_of("postgres") + "&schema=public&pgbouncer=true")
    connection = psycopg2.connect(url.uri)
    try:
        assert connection.info.dbname == "postgres"
    finally:
        connection.close()
