"""What the preflight says of a SQLite file that is to go into the schema its own version would create.

Belongs here: asking without a PostgreSQL. Does not belong here: expectations, or making files (``plain_source``).
"""

from collections.abc import Iterable
from pathlib import Path

from odyssey_assets.compare.pairing import pair
from odyssey_assets.findings import Finding
from odyssey_assets.preflight.source import SourceExamination, examine_source
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.source.survey import survey_table
from odyssey_assets.target.catalog import TargetCatalog
from odyssey_assets.target.catalog_to_be import catalog_to_be

Told = tuple[str, str, str, str | None, object]
"""Severity, kind, table, column, key."""


def examine(
    path: Path,
    tables: Iterable[str] | None = None,
    *,
    target: TargetCatalog | None = None,
    is_jsonb: bool = False,
    version: int | None = None,
) -> SourceExamination:
    """Examine some tables, all of them without ``tables``; ``version`` is the target's, else the source's own."""
    source = inspect_source(path)
    target = target or catalog_to_be("public", version or source.version, json_as_jsonb=is_jsonb)
    wanted = [table for table in pair(source, target).tables if tables is None or table.name in tables]
    surveys = {table.name: survey_table(path, table.name, table.kinds) for table in wanted}
    return examine_source(path, source, target, wanted, surveys, lambda _: None)


def told(findings: Iterable[Finding]) -> set[Told]:
    return {
        (each.severity.value, each.kind, each.table, each.column, None if each.key is None else tuple(each.key.items()))
        for each in findings
    }
