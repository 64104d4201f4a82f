"""The target's URL: Prisma's dialect in, libpq's and SQLAlchemy's dialects out, passwords kept out of sight.

Belongs here: reading and writing connection URLs, removing their secrets from text.
Does not belong here: connecting (see the readers and writers of ``target``), or where the URL comes from
(``configuration``).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, quote_plus, unquote

import psycopg2
from psycopg2.extensions import parse_dsn
from sqlalchemy.engine import URL

from odyssey_assets.errors import ConfigurationError

DEFAULT_SCHEMA = "public"
HIDDEN = "***"
_EXAMPLE = "Expected something like postgresql://user:password@host:5432/database."
_ENCODING_HINT = "Special characters in a user name or password must be percent-encoded: @ as %40, / as %2F, ? as %3F."
_SCHEME = re.compile(r"(?:postgres|postgresql)(?:\+\w+)?://", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(?P<host>\[[^\[\]]+\]|[^\[\]:]*)(?::(?P<port>.*))?", re.DOTALL)
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
_PRISMA_ONLY = frozenset(
    {
        "schema",
        "connection_limit",
        "pool_timeout",
        "pgbouncer",
        "socket_timeout",
        "statement_cache_size",
        "max_connection_lifetime",
        "max_idle_connection_lifetime",
        "single_use_connections",
        "sslidentity",
        "sslaccept",
    }
)
_SECRET_PARAMETERS = ("password", "sslpassword")
_ABOUT_THE_SERVER = frozenset(
    {"host", "hostaddr", "port", "sslmode", "sslrootcert", "sslaccept", "channel_binding", "gssencmode"}
)
"""Parameters that hold for every role."""


@dataclass(frozen=True)
class TargetUrl:
    """One PostgreSQL target.

    ``uri`` is for libpq and holds the password, ``redacted`` is the same for people; ``schema`` and ``is_pooled``
    are what Prisma's ``schema`` and ``pgbouncer`` said. ``secrets`` are the passwords in every spelling they may
    turn up in.
    """

    uri: str = field(repr=False)
    redacted: str
    schema: str = DEFAULT_SCHEMA
    is_pooled: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class _Parts:
    """A URL taken apart, everything percent-decoded; a host that is IPv6 has no brackets here."""

    user: str | None
    password: str | None = field(repr=False)
    hosts: tuple[tuple[str, int | None], ...]
    database: str
    parameters: Mapping[str, str] = field(repr=False)


def parse_target_url(text: str) -> TargetUrl:
    """Understand Prisma's, libpq's or SQLAlchemy's URL of a PostgreSQL database.

    Raises ConfigurationError, which never repeats a password, for anything else.
    """
    given = _taken_apart(text.strip())
    parts = replace(given, parameters=_libpq_parameters(given.parameters))
    typed = _userinfo(text).partition(":")[2]
    passwords = [given.password, *(given.parameters.get(name) for name in _SECRET_PARAMETERS)]
    spellings = {spelling for password in passwords if password for spelling in _spellings(password)}
    return TargetUrl(
        uri=_rendered(parts),
        redacted=_rendered(_without_secrets(parts)),
        schema=given.parameters.get("schema") or DEFAULT_SCHEMA,
        is_pooled=given.parameters.get("pgbouncer", "").lower() == "true",
        secrets=tuple(sorted(spellings | ({typed} if typed else set()), key=lambda each: (-len(each), each))),
    )


def dagster_url(uri: str) -> str:
    """``uri`` for SQLAlchemy with psycopg2, the driver dagster-postgres brings; its bare form would mean another."""
    parts = _taken_apart(parse_target_url(uri).uri)
    query: dict[str, str | tuple[str, ...]] = dict(parts.parameters)
    host, port = parts.hosts[0] if parts.hosts else (None, None)
    if len(parts.hosts) > 1 or (host or "").startswith("/"):
        query["host"] = ",".join(each for each, _ in parts.hosts)
        if any(port for _, port in parts.hosts):
            query["port"] = ",".join(str(port or "") for _, port in parts.hosts)
        host, port = None, None
    url = URL.create("postgresql+psycopg2", parts.user, parts.password, host, port, parts.database or None, query)
    return url.render_as_string(hide_password=False)


def login_url(text: str, user: str, password: str, database: str, *, schema: str = DEFAULT_SCHEMA) -> str:
    """The same server's URL for another role and database, in Prisma's dialect; the other role's own key stays out."""
    given = _taken_apart(text.strip())
    kept = {name: value for name, value in given.parameters.items() if name in _ABOUT_THE_SERVER}
    parameters = kept | ({"schema": schema} if schema != DEFAULT_SCHEMA else {})
    return _rendered(replace(given, user=user, password=password, database=database, parameters=parameters))


def prisma_url(url: TargetUrl) -> str:
    """The target for an application's ``.env``, in Prisma's dialect and without its password."""
    parts = _taken_apart(url.redacted)
    pooled = {"pgbouncer": "true"} if url.is_pooled else {}
    return _rendered(replace(parts, parameters={"schema": url.schema, **pooled, **parts.parameters}))


def url_of_database(url: TargetUrl, database: str) -> TargetUrl:
    """The same server and role, another database."""
    parts = replace(_taken_apart(url.uri), database=database)
    return replace(url, uri=_rendered(parts), redacted=_rendered(_without_secrets(parts)))


def redact(text: str, url: TargetUrl) -> str:
    """``text``, a driver's message for one, with the URL's passwords replaced in every spelling."""
    if not url.secrets:
        return text
    return re.sub("|".join(map(re.escape, url.secrets)), HIDDEN, text, flags=re.IGNORECASE)


def _spellings(password: str) -> set[str]:
    ways: tuple[Callable[[str], str], ...] = (
        str,
        quote,
        quote_plus,
        lambda each: quote(each, safe=""),
        lambda each: quote(each, safe=" +"),
        lambda each: repr(each)[1:-1],
    )
    return {way(password) for way in ways}


def _userinfo(text: str) -> str:
    authority = re.split(r"[/?]", _SCHEME.sub("", text.strip(), count=1), maxsplit=1)[0]
    return authority.rpartition("@")[0]


def _taken_apart(text: str) -> _Parts:
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise ConfigurationError("The target is not a PostgreSQL URL.", hint=_EXAMPLE)
    location, _, query = text[scheme.end() :].partition("?")
    authority, _, database = location.partition("/")
    userinfo, at, host_list = authority.rpartition("@")
    if not at and "@" in database:
        raise ConfigurationError("The PostgreSQL URL has an @ where its end cannot be told.", hint=_ENCODING_HINT)
    user, colon, password = userinfo.partition(":")
    return _Parts(
        user=_decoded(user) if at else None,
        password=_decoded(password) if colon else None,
        hosts=tuple(_host_and_port(each) for each in host_list.split(",")) if host_list else (),
        database=_decoded(database),
        parameters=_parameters(query),
    )


def _decoded(text: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        # The original error is left out of the chain on purpose: it quotes the text, which may be the password.
        raise ConfigurationError("The PostgreSQL URL has percent-encoded bytes that are not UTF-8.") from None
    if "\x00" in decoded:
        raise ConfigurationError("The PostgreSQL URL contains a NUL character, which PostgreSQL cannot take.")
    return decoded


def _host_and_port(text: str) -> tuple[str, int | None]:
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None:
        raise ConfigurationError("The PostgreSQL URL has a host that cannot be read.", hint=_ENCODING_HINT)
    host, port = match["host"], match["port"]
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise ConfigurationError("The PostgreSQL URL has a port that is not 1 to 65535.", hint=_ENCODING_HINT)
    return _decoded(host.strip("[]")), int(port) if port else None


def _parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        name, equals, value = item.partition("=")
        name = _decoded(name)
        if not equals or not (name in _PRISMA_ONLY or _is_known_to_libpq(name)):
            # With a bare @ behind it, the "name" may be the second half of a password with a bare question mark.
            named = f" {name!r}" if _PLAIN_NAME.fullmatch(name) and "@" not in query else ""
            raise ConfigurationError(f"The PostgreSQL URL has an unknown parameter{named}.", hint=_ENCODING_HINT)
        parameters[name] = _decoded(value)
    return parameters


def _is_known_to_libpq(name: str) -> bool:
    if _PLAIN_NAME.fullmatch(name) is None:
        return False
    try:
        parse_dsn(f"{name}=1")
    except psycopg2.ProgrammingError:
        return False
    return True


def _libpq_parameters(given: Mapping[str, str]) -> dict[str, str]:
    """What libpq is to see. Prisma's ``sslcert`` is an authority's certificate, libpq's is the client's own."""
    kept = {name: value for name, value in given.items() if name not in _PRISMA_ONLY}
    if "sslkey" in given or "sslrootcert" in given:
        return kept
    # Prisma's sslpassword opens a PKCS #12 file, which libpq cannot read.
    kept.pop("sslpassword", None)
    authority = kept.pop("sslcert", None)
    # Prisma looks at certificates only when told to; libpq would start to as soon as it is given an authority.
    if given.get("sslaccept") == "strict" and given.get("sslmode") != "disable":
        kept |= {"sslmode": "verify-full", "sslrootcert": authority or "system"}
    return kept


def _without_secrets(parts: _Parts) -> _Parts:
    return replace(
        parts,
        password=HIDDEN if parts.password else parts.password,
        parameters={name: HIDDEN if name in _SECRET_PARAMETERS else value for name, value in parts.parameters.items()},
    )


def _rendered(parts: _Parts) -> str:
    def encoded(value: str) -> str:
        return value if value == HIDDEN else quote(value, safe="")

    userinfo = ""
    if parts.user is not None:
        userinfo = encoded(parts.user) + (f":{encoded(parts.password)}" if parts.password is not None else "") + "@"
    hosts = ",".join(
        (f"[{host}]" if ":" in host else encoded(host)) + (f":{port}" if port else "") for host, port in parts.hosts
    )
    query = "&".join(f"{name}={quote(value, safe='/*')}" for name, value in parts.parameters.items())
    return f"postgresql://{userinfo}{hosts}/{quote(parts.database, safe='')}" + (f"?{query}" if query else "")
