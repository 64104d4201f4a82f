"""What makes a database ready, step by step: each a question whether it is done, and the statement that does it.

Belongs here: the SQL, and its order. Does not belong here: running it (``apply``), or which role has which right
(``roles``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.provision.roles import BOOKKEEPING_SCHEMA, PURPOSE, RIGHTS, Duty, Plan


@dataclass(frozen=True)
class Step:
    """``question`` answers with one boolean: whether nothing is left to do. ``gives_password_to`` marks a statement
    with one parameter, the verifier of that role's password."""

    words: str
    question: str
    parameters: Mapping[str, object]
    statement: str
    gives_password_to: Duty | None = field(default=None, kw_only=True)


def database_step(plan: Plan) -> Step:
    """The one step that is not done within the database. template0 is the one template every encoding goes with."""
    return Step(
        f"made the database {plan.database}",
        "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %(database)s)",
        {"database": plan.database},
        f"CREATE DATABASE {quoted(plan.database)} ENCODING 'UTF8' TEMPLATE template0",
    )


def steps_within(plan: Plan) -> Iterator[Step]:
    """All others, in order, to be done in one transaction within the database."""
    yield from (_role_step(duty, role) for duty, role in plan.roles.items())
    yield _membership_step(plan)
    yield _public_step("DATABASE", "TEMPORARY", plan.database)
    yield _schema_step(plan, plan.schema)
    yield _schema_step(plan, BOOKKEEPING_SCHEMA)
    yield _public_step("SCHEMA", "CREATE", plan.schema)
    for duty, role in plan.roles.items():
        rights = RIGHTS[duty]
        yield _grant_step("DATABASE", plan.database, role, rights.on_database)
        yield _grant_step("SCHEMA", plan.schema, role, rights.on_schema)
        yield from _content_steps(plan, plan.schema, role, rights.on_tables, rights.on_sequences)
        if rights.on_bookkeeping:
            yield _grant_step("SCHEMA", BOOKKEEPING_SCHEMA, role, rights.on_schema)
            yield from _content_steps(plan, BOOKKEEPING_SCHEMA, role, rights.on_bookkeeping, rights.on_sequences)


def password_step(duty: Duty, role: str) -> Step:
    """A new password for a role there is already."""
    statement = f"ALTER ROLE {quoted(role)} PASSWORD %s"
    return Step(f"changed the password of {role}", "SELECT false", {}, statement, gives_password_to=duty)


def _role_step(duty: Duty, role: str) -> Step:
    return Step(
        f"made the role {role} ({PURPOSE[duty]})",
        "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %(role)s)",
        {"role": role},
        f"CREATE ROLE {quoted(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %s",
        gives_password_to=duty,
    )


def _membership_step(plan: Plan) -> Step:
    """What an administrator who is no superuser needs to make a schema for the owner and to set its defaults."""
    owner = plan.roles[Duty.OWNER]
    return Step(
        f"let the administrator act for {owner}",
        "SELECT pg_has_role(%(role)s, 'USAGE')",
        {"role": owner},
        f"GRANT {quoted(owner)} TO CURRENT_USER",
    )


def _schema_step(plan: Plan, schema: str) -> Step:
    owner = plan.roles[Duty.OWNER]
    return Step(
        f"made the schema {schema}",
        "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %(schema)s)",
        {"schema": schema},
        f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)} AUTHORIZATION {quoted(owner)}",
    )


def _public_step(kind: str, right: str, name: str) -> Step:
    """Before PostgreSQL 15 everybody may make tables in ``public``; temporary ones everybody may to this day."""
    return Step(
        f"took {right} on the {kind.lower()} {name} from PUBLIC",
        f"SELECT NOT EXISTS (SELECT FROM {_ACL[kind]} AS acl WHERE acl.grantee = 0 AND privilege_type = %(right)s)",
        {"name": name, "right": right},
        f"REVOKE {right} ON {kind} {quoted(name)} FROM PUBLIC",
    )


def _grant_step(kind: str, name: str, role: str, rights: tuple[str, ...]) -> Step:
    listed = ", ".join(rights)
    return Step(
        f"granted {listed} on the {kind.lower()} {name} to {role}",
        f"SELECT %(rights)s <@ ARRAY(SELECT privilege_type FROM {_ACL[kind]} AS acl WHERE acl.grantee = {_ROLE})",
        {"name": name, "role": role, "rights": list(rights)},
        f"GRANT {listed} ON {kind} {quoted(name)} TO {quoted(role)}",
    )


def _content_steps(
    plan: Plan, schema: str, role: str, on_tables: tuple[str, ...], on_sequences: tuple[str, ...]
) -> Iterator[Step]:
    """Rights on what is in a schema now, and on what its owner will make there."""
    for kind, rights in (("TABLES", on_tables), ("SEQUENCES", on_sequences)):
        if not rights:
            continue
        listed = ", ".join(rights)
        parameters = {"schema": schema, "role": role, "rights": list(rights)}
        yield Step(
            f"granted {listed} on the {kind.lower()} of {schema} to {role}",
            _CONTENT_QUESTION[kind],
            parameters,
            f"GRANT {listed} ON ALL {kind} IN SCHEMA {quoted(schema)} TO {quoted(role)}",
        )
        owner = plan.roles[Duty.OWNER]
        if role != owner:
            yield Step(
                f"granted {listed} on {kind.lower()} that {owner} makes in {schema} to {role}",
                _DEFAULT_QUESTION,
                parameters | {"owner": owner, "kind": kind[0] if kind == "SEQUENCES" else "r"},
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(owner)} IN SCHEMA {quoted(schema)} "
                f"GRANT {listed} ON {kind} TO {quoted(role)}",
            )


_ROLE = "(SELECT oid FROM pg_roles WHERE rolname = %(role)s)"

_ACL = {
    "DATABASE": "(SELECT a.* FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a "
    "WHERE d.datname = %(name)s)",
    "SCHEMA": "(SELECT a.* FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a "
    "WHERE n.nspname = %(name)s)",
}
"""Rights as they were granted by name; what a role has only as one of PUBLIC does not count."""

_CONTENT_QUESTION = {
    "TABLES": """
SELECT NOT EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, unnest(%(rights)s) AS wanted
    WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p', 'v', 'm')
      AND NOT has_table_privilege(%(role)s, c.oid, wanted))
""",
    "SEQUENCES": """
SELECT NOT EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, unnest(%(rights)s) AS wanted
    WHERE n.nspname = %(schema)s AND c.relkind = 'S' AND NOT has_sequence_privilege(%(role)s, c.oid, wanted))
""",
}

_DEFAULT_QUESTION = f"""
SELECT %(rights)s <@ ARRAY(
    SELECT acl.privilege_type
    FROM pg_default_acl d
    JOIN pg_namespace n ON n.oid = d.defaclnamespace
    JOIN pg_roles o ON o.oid = d.defaclrole, aclexplode(d.defaclacl) acl
    WHERE n.nspname = %(schema)s AND o.rolname = %(owner)s AND d.defaclobjtype = %(kind)s AND acl.grantee = {_ROLE})
"""
