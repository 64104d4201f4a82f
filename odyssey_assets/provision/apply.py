"""Making a database ready: what is there is left alone, the rest is done in one transaction.

Belongs here: asking, doing, passwords on their way. Does not belong here: the statements (``steps``), or how the result
is told (``telling``).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg2
import psycopg2.errors
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import parse_dsn

from odyssey_assets.errors import ConfigurationError, OdysseyError, RefusedError, UnreachableError
from odyssey_assets.provision.passwords import new_password, verifier
from odyssey_assets.provision.roles import Duty, Plan
from odyssey_assets.provision.steps import Step, database_step, password_step, steps_within
from odyssey_assets.target.opening import APPLICATION_NAME, CONNECT_SECONDS
from odyssey_assets.target.url import TargetUrl, login_url, parse_target_url, redact

ADMINISTRATION_DATABASE = "postgres"
"""Where to log in as long as the database is not there, if the administrator's URL names none."""


@dataclass(frozen=True)
class Provisioned:
    """``done`` are the steps that were needed, in words; ``passwords`` those that were set now."""

    plan: Plan
    done: tuple[str, ...]
    passwords: Mapping[Duty, str]


def provision(
    admin: str,
    plan: Plan,
    given: Mapping[Duty, str],
    *,
    renews_passwords: bool = False,
    before_commit: Callable[[Provisioned], None] = lambda _: None,
) -> Provisioned:
    """Do what is left to do. ``given`` are passwords by duty, the others are made here.

    ``before_commit`` sees what will be, so that passwords are kept before they come to hold. Raises UnreachableError,
    ConfigurationError or RefusedError; but for an empty database nothing was changed then.
    """
    done: list[str] = []
    home = parse_dsn(parse_target_url(admin).uri).get("dbname") or ADMINISTRATION_DATABASE
    with _connected(admin, home) as connection:
        connection.autocommit = True
        if _is_left(connection, database_step(plan)):
            _execute(connection, database_step(plan), {}, plan)
            done.append(database_step(plan).words)
    with _connected(admin, plan.database) as connection:
        _alone(connection)
        existing = _existing_roles(connection, plan)
        renewed = _to_renew(admin, plan, existing, given, renews_passwords=renews_passwords)
        passwords = {
            duty: given.get(duty) or new_password()
            for duty, role in plan.roles.items()
            if role not in existing or duty in renewed
        }
        steps = [*steps_within(plan), *(password_step(duty, plan.roles[duty]) for duty in Duty if duty in renewed)]
        for step in steps:
            if _is_left(connection, step):
                _execute(connection, step, passwords, plan)
                done.append(step.words)
                _require_done(connection, step)
        provisioned = Provisioned(plan, tuple(done), passwords)
        before_commit(provisioned)
        connection.commit()
    return provisioned


def _is_left(connection: Connection, step: Step) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(step.question, step.parameters)
        (is_done,) = cursor.fetchone() or (False,)
    return not is_done


def _execute(connection: Connection, step: Step, passwords: Mapping[Duty, str], plan: Plan) -> None:
    duty = step.gives_password_to
    with connection.cursor() as cursor:
        if duty is None:
            cursor.execute(step.statement)
        else:
            cursor.execute(step.statement, [verifier(passwords[duty], plan.roles[duty], connection)])


def _require_done(connection: Connection, step: Step) -> None:
    """A GRANT or REVOKE by someone who may not is no more than a warning of the server's."""
    if step.gives_password_to is None and _is_left(connection, step):
        raise ConfigurationError(
            f"The administrator may not do this: {step.statement}.",
            hint="Use a role that owns what it is about, or a superuser. Nothing was changed.",
        )


def _alone(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('odyssey provision', 0))")
        (is_ours,) = cursor.fetchone() or (False,)
    if not is_ours:
        raise RefusedError("Another odyssey provision is at work in this database.", hint="Run again afterwards.")


def _existing_roles(connection: Connection, plan: Plan) -> frozenset[str]:
    """Roles there are already. Raises RefusedError where one of them may do more than any role of this plan should."""
    with connection.cursor() as cursor:
        cursor.execute(_ROLES_SQL, [list(plan.roles.values())])
        found = cursor.fetchall()
    mighty = [role for role, is_mighty, _ in found if is_mighty]
    if mighty:
        raise RefusedError(
            f"The role {mighty[0]} is there already and is a superuser or ignores row-level security.",
            hint="Choose another --role-prefix. Nothing was changed.",
        )
    barred = [role for role, _, may_log_in in found if not may_log_in]
    if barred:
        raise RefusedError(
            f"The role {barred[0]} is there already and may not log in.",
            hint="ALTER ROLE ... LOGIN, or choose another --role-prefix. Nothing was changed.",
        )
    return frozenset(role for role, _, _ in found)


def _to_renew(
    admin: str, plan: Plan, existing: frozenset[str], given: Mapping[Duty, str], *, renews_passwords: bool
) -> frozenset[Duty]:
    """Whose password is to be changed: everybody's where asked for, else where the one given is not the one that holds.

    Only a login can tell: the server shows nobody but superusers what it keeps.
    """
    there = {duty: role for duty, role in plan.roles.items() if role in existing}
    if renews_passwords:
        return frozenset(there)
    return frozenset(
        duty
        for duty, role in there.items()
        if duty in given and not _can_log_in(login_url(admin, role, given[duty], plan.database))
    )


def _can_log_in(url: str) -> bool:
    try:
        psycopg2.connect(parse_target_url(url).uri, connect_timeout=CONNECT_SECONDS).close()
    except psycopg2.OperationalError:
        return False
    return True


@contextmanager
def _connected(admin: str, database: str) -> Iterator[Connection]:
    url = parse_target_url(admin)
    try:
        with closing(
            psycopg2.connect(
                url.uri,
                dbname=database,
                connect_timeout=CONNECT_SECONDS,
                application_name=f"{APPLICATION_NAME} provision",
            )
        ) as connection:
            yield connection
    except psycopg2.Error as error:
        raise _translation(error, url) from error


def _translation(error: psycopg2.Error, url: TargetUrl) -> OdysseyError:
    said = redact(str(error), url).strip().splitlines()[0].removeprefix("ERROR:").strip().rstrip(".")
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return ConfigurationError(
            f"The administrator lacks a right: {said}.",
            hint="It takes CREATEDB, CREATEROLE and ownership of the database, or a superuser. Nothing was changed.",
        )
    if isinstance(error, psycopg2.OperationalError) and error.pgcode is None:
        return UnreachableError(
            f"PostgreSQL at {url.redacted} cannot be reached as administrator: {said}.",
            hint="Check host, port, user and password in --admin-url.",
        )
    return ConfigurationError(f"PostgreSQL refused ({error.pgcode}): {said}.", hint="Nothing was changed.")


_ROLES_SQL = """
SELECT rolname, rolsuper OR rolbypassrls AS is_mighty, rolcanlogin AS may_log_in
FROM pg_roles
WHERE rolname = ANY(%s)
ORDER BY rolname
"""
