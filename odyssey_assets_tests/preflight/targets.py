"""A target with something planted in it, and what the preflight says of it.

Belongs here: planting in a transaction that is rolled back, asking, another session at work. Does not belong here:
expectations.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from adbc_driver_manager.dbapi import Connection

from odyssey_assets.findings import Finding, Severity
from odyssey_assets.preflight.parity import parity_findings
from odyssey_assets.preflight.readiness import readiness_findings
from odyssey_assets.target.catalog import TargetCatalog, read_catalog
from odyssey_assets.target.connection import connect, execute
from odyssey_assets.target.url import TargetUrl

ROLE = "CREATE ROLE nobody_special; SET LOCAL ROLE nobody_special"
"""Rolled back with everything else."""


def run_each(connection: Connection, statements: str) -> None:
    for statement in filter(None, map(str.strip, statements.split(";"))):
        execute(connection, statement)


def catalog_after(target: TargetUrl, statements: str, schema: str = "public") -> TargetCatalog:
    with connect(target) as connection:
        run_each(connection, statements)
        return read_catalog(connection, schema)


def planted(
    target: TargetUrl, statements: str, severity: Severity = Severity.WARNING
) -> tuple[str, str, str | None, str]:
    """The one finding, which must be of this severity."""
    (finding,) = parity_findings(catalog_after(target, statements), 5)
    assert finding.severity is severity
    return finding.kind, finding.table, finding.column, finding.detail


def findings_of(
    target: TargetUrl,
    statements: str = "",
    *,
    said: TargetUrl | None = None,
    schema: str = "public",
    needed_bytes: int = 0,
    data_dir: Path | None = None,
    will_create: bool = False,
) -> tuple[Finding, ...]:
    """Findings after ``statements``, which are rolled back; without any, the transaction is read-only."""
    with connect(target, read_only=not statements) as connection:
        run_each(connection, statements)
        return readiness_findings(
            connection,
            said or target,
            read_catalog(connection, schema),
            needed_bytes=needed_bytes,
            data_dir=data_dir,
            will_create=will_create,
        )


def seen(findings: tuple[Finding, ...]) -> list[tuple[str, str, int]]:
    return [(finding.severity.value, finding.kind, finding.count) for finding in findings]


@contextmanager
def held(target: TargetUrl, statement: str) -> Iterator[int]:
    """Another session's open transaction; its process id."""
    with psycopg.connect(target.uri, application_name="reporting") as holder:
        holder.execute(statement)
        yield holder.info.backend_pid
