"""Before rows move: the target's schema, made where it is missing, and what both sides agree to carry.

Belongs here: creating the schema, pairing, refusing what would be lost. Does not belong here: looking at rows.
"""

from odyssey_assets.compare.pairing import Pairing, pair
from odyssey_assets.errors import ConfigurationError, FindingsError
from odyssey_assets.findings import Severity
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import schema_of_version
from odyssey_assets.progress import Phase
from odyssey_assets.sync.rights import require_rights
from odyssey_assets.sync.session import Session
from odyssey_assets.target.catalog import TargetCatalog, read_catalog
from odyssey_assets.target.connection import execute
from odyssey_assets.target.ddl import create_schema_sql


def prepare_target(session: Session) -> TargetCatalog:
    """The target's catalog; a run that publishes creates the source version's tables where the target has none.

    Raises ConfigurationError when a run that only verifies finds no tables.
    """
    with session.phase(Phase.SCHEMA):
        catalog = read_catalog(session.connection, session.schema)
        declared = schema_of_version(session.source.version)
        is_there = bool(catalog.tables.keys() & declared.tables.keys())
        if is_there or session.request.publish:
            require_rights(session.connection, session.request, catalog, will_create=not is_there)
        if is_there:
            return catalog
        if not session.request.publish:
            raise ConfigurationError(
                f"The PostgreSQL schema {session.schema} has none of Odyssey's tables yet.",
                hint="Run odyssey migrate first.",
            )
        if not catalog.schema_exists:
            execute(session.connection, f"CREATE SCHEMA {quoted(session.schema)}")
        execute(session.connection, f"SET LOCAL search_path = {quoted(session.schema)}")
        for statement in create_schema_sql(declared, json_as_jsonb=session.request.json_as_jsonb):
            execute(session.connection, statement)
        return read_catalog(session.connection, session.schema)


def pair_or_refuse(session: Session, catalog: TargetCatalog) -> Pairing:
    """What both sides have; raises FindingsError where something would be lost or could not be filled."""
    pairing = pair(session.source, catalog, session.request.ignore_unknown)
    if any(finding.severity is Severity.ERROR for finding in pairing.findings):
        raise FindingsError(pairing.findings)
    return pairing
