"""Requests for runs over a test's own folders, and short views of their outcomes."""

from pathlib import Path
from typing import Any

from odyssey_assets.compare.checks import CheckResult
from odyssey_assets.findings import Severity
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.sync.outcome import Outcome, Request, TableStatus
from odyssey_assets.target.url import parse_target_url

ALL_TABLES = frozenset(table.name for table in tables_in_order())
NONE: frozenset[str] = frozenset()


def request_for(
    folder: Path, source: Path, uri: str, *, publish: frozenset[str] = ALL_TABLES, **options: Any
) -> Request:
    """Publish ``publish`` and, unless told otherwise, verify nothing else."""
    return Request(
        sqlite_path=source,
        target=parse_target_url(uri),
        snapshot_dir=folder / "snapshots",
        scratch_dir=folder / "scratch",
        publish=publish,
        verify=options.pop("verify", NONE),
        **options,
    )


def verification(folder: Path, source: Path, uri: str, **options: Any) -> Request:
    """Verify every table and publish none."""
    return request_for(folder, source, uri, publish=NONE, verify=ALL_TABLES, **options)


def statuses(outcome: Outcome) -> dict[TableStatus, int]:
    found = [table.status for table in outcome.tables]
    return {status: found.count(status) for status in set(found)}


def failures(outcome: Outcome) -> dict[tuple[str, str], CheckResult]:
    """The checks that did not pass and forbid a commit, by table and name; warnings are left out."""
    return {
        (table.name, check.name.value): check
        for table in outcome.tables
        for check in table.checks
        if not check.passed and check.severity is Severity.ERROR
    }


def application_rows(dumped: dict[str, list[tuple[str | None, ...]]]) -> dict[str, list[tuple[str | None, ...]]]:
    """A dump without this project's own bookkeeping, which grows with every publication."""
    return {name: rows for name, rows in dumped.items() if not name.startswith("odyssey_sync.")}
