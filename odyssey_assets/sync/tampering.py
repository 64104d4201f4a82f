"""Whether anybody but this project changed PostgreSQL since it was last published, and which rows.

Belongs here: classing a table by ledger and digests, and naming rows. Does not belong here: repairing (a sync does, by
bringing the table in step), or refusing (``guards``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from odyssey_assets.compare.checks import CheckName, CheckResult
from odyssey_assets.compare.differences import Comparison, Difference, DifferenceKind
from odyssey_assets.compare.rows import compare_rows
from odyssey_assets.findings import Severity
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.source.reader import read_table as read_source
from odyssey_assets.source.snapshot import snapshot_path
from odyssey_assets.source.soundness import quick_check
from odyssey_assets.source.survey import survey_table
from odyssey_assets.sync.ledger import LedgerEntry, read_ledger
from odyssey_assets.sync.outcome import TableOutcome
from odyssey_assets.sync.session import Session
from odyssey_assets.target.connection import query, server_version
from odyssey_assets.target.digests import TargetDigest, table_digest
from odyssey_assets.target.reader import read_table as read_target

ROWS_NAMED = 200
"""Tampered rows named in full; more are counted."""


class Drift(StrEnum):
    """Why PostgreSQL may differ from SQLite now, seen from the last publication of a table."""

    NONE = "none"
    LAG = "lag"
    TAMPERED = "tampered"
    BOTH = "both"
    LEDGER_LOST = "ledger lost"


@dataclass(frozen=True)
class Tampering:
    """The verdict over one table. ``rows`` counts the changed rows, None where they cannot be told from lag."""

    table: str
    drift: Drift
    rows: int | None
    listed: tuple[Difference, ...]
    looked_at_rows: int
    detail: str

    @property
    def is_tampered(self) -> bool:
        return self.drift in (Drift.TAMPERED, Drift.BOTH)


def class_drift(
    session: Session,
    table: CarriedTable,
    entry: LedgerEntry | None,
    digest: TargetDigest,
    comparison: Comparison,
    server_version: int,
) -> Tampering:
    """Class one table. ``comparison`` is of the snapshot with the target as it was found."""
    if entry is None:
        if not digest.rows:
            return Tampering(table.name, Drift.NONE, 0, (), 0, "PostgreSQL holds no rows")
        detail = "the table has no entry in the ledger, so nobody can tell whether its rows were changed"
        return Tampering(table.name, Drift.LEDGER_LOST, None, (), 0, detail)
    has_lag = entry.source_digest != comparison.source_digest
    if entry.server_version != server_version:
        return _without_digest(session, table, entry, comparison, digest, has_lag=has_lag)
    if entry.target == digest:
        drift = Drift.LAG if comparison.different_rows else Drift.NONE
        detail = f"nobody changed it since publication {entry.publication}"
        return Tampering(table.name, drift, 0, (), digest.rows, detail)
    published = _compare_with_published(session, table, entry)
    return _tampered(session, table, entry, comparison, published, digest, has_lag=has_lag)


def check_of(tampering: Tampering) -> CheckResult:
    """The verdict as a check: a warning, since a sync repairs it."""
    passed = tampering.drift in (Drift.NONE, Drift.LAG)
    return CheckResult(
        tampering.table,
        CheckName.TAMPERING,
        passed,
        0 if passed else tampering.rows or 1,
        tampering.looked_at_rows,
        tampering.detail,
        Severity.WARNING,
        tampering.listed,
    )


def check_tampering(
    session: Session, outcomes: Mapping[str, TableOutcome], *, loaded: frozenset[str] = frozenset()
) -> dict[str, TableOutcome]:
    """The outcomes with the check added, for tables as they are in PostgreSQL now.

    ``loaded`` are those that were empty until this run filled them, so that whatever they hold is its own doing.
    """
    ledger = read_ledger(session.connection, session.schema)
    version = server_version(session.connection)
    checked = {}
    for name, outcome in outcomes.items():
        if outcome.comparison is None or outcome.carried is None:
            checked[name] = outcome
            continue
        if name in loaded:
            found = Tampering(name, Drift.NONE, 0, (), outcome.target_rows, "loaded by this run")
        else:
            digest = outcome.comparison.target_digest or table_digest(session.connection, session.schema, name)
            found = class_drift(session, outcome.carried, ledger.get(name), digest, outcome.comparison, version)
        checked[name] = replace(outcome, checks=(*outcome.checks, check_of(found)))
    return checked


def _without_digest(
    session: Session,
    table: CarriedTable,
    entry: LedgerEntry,
    comparison: Comparison,
    digest: TargetDigest,
    *,
    has_lag: bool,
) -> Tampering:
    """What every row says where the ledger's digest was made by another server version, or another way, and cannot."""
    # Where SQLite holds what was published, the comparison is with what was published.
    is_as_published = not has_lag and entry.source_digest is not None
    published = comparison if is_as_published else _compare_with_published(session, table, entry)
    if published is None:
        detail = (
            f"the digest of publication {entry.publication} was made by another version of PostgreSQL or of this "
            "project, and its snapshot is gone, so nobody can tell whether its rows were changed"
        )
        return Tampering(table.name, Drift.LEDGER_LOST, None, (), 0, detail)
    if published.different_rows:
        return _tampered(session, table, entry, comparison, published, digest, has_lag=has_lag)
    drift = Drift.LAG if comparison.different_rows else Drift.NONE
    detail = f"every carried row was read and is as in publication {entry.publication}, whose digest cannot be compared"
    return Tampering(table.name, drift, 0, (), digest.rows, detail)


def _tampered(
    session: Session,
    table: CarriedTable,
    entry: LedgerEntry,
    comparison: Comparison,
    published: Comparison | None,
    digest: TargetDigest,
    *,
    has_lag: bool,
) -> Tampering:
    drift = Drift.BOTH if has_lag else Drift.TAMPERED
    if published is None and has_lag:
        detail = (
            f"rows were changed in PostgreSQL since publication {entry.publication}, and SQLite moved on as well; "
            "that publication's snapshot is gone, so the two cannot be told apart"
        )
        return Tampering(table.name, drift, None, comparison.listed, digest.rows, detail)
    found = published or comparison
    detail = (
        f"changed in PostgreSQL by someone else since publication {entry.publication}: {found.missing_rows:,} rows "
        f"deleted, {found.extra_rows:,} inserted, {found.changed_rows:,} updated"
    )
    if not found.different_rows:
        detail += "; what changed is outside the columns that are carried, or was changed back"
    listed = _with_who(session, table, found.listed)
    return Tampering(table.name, drift, found.different_rows, listed, digest.rows, detail)


def _compare_with_published(session: Session, table: CarriedTable, entry: LedgerEntry) -> Comparison | None:
    """The target against the snapshot it was published from; None where that is not at hand or not comparable."""
    old = snapshot_path(session.request.snapshot_dir, entry.snapshot_id)
    is_at_hand = old.exists() and old.stat().st_size == entry.snapshot_bytes
    if not is_at_hand or entry.held_rows or entry.columns != table.column_names or quick_check(old):
        return None
    rows = (batch.rows for batch in read_source(old, table, survey_table(old, table.name, table.kinds)))
    return compare_rows(
        table,
        rows,
        read_target(session.connection, session.schema, table),
        session.request.scratch_dir,
        listed=ROWS_NAMED,
    )


def _with_who(session: Session, table: CarriedTable, listed: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Add what PostgreSQL can tell of who wrote a row: the transaction, and when it committed if that is tracked."""
    there = [each for each in listed if each.kind is not DifferenceKind.MISSING]
    if not there or not table.is_key_unique:
        return listed
    notes = _notes(session, table, [each.key for each in there])
    return tuple(replace(each, note=notes.get(tuple(map(str, each.key.values())), "")) for each in listed)


def _notes(session: Session, table: CarriedTable, keys: list[Mapping[str, object]]) -> dict[tuple[str, ...], str]:
    name = f"{quoted(session.schema)}.{quoted(table.name)}"
    columns = ", ".join(f"live.{quoted(column)}::text" for column in table.key)
    same = " AND ".join(f"live.{quoted(column)}::text = wanted.k{n}" for n, column in enumerate(table.key))
    wanted = ", ".join(f"k{n}" for n in range(len(table.key)))
    arrays = ", ".join(f"${n + 1}::text[]" for n in range(len(table.key)))
    rows = query(
        session.connection,
        f"""
        SELECT ARRAY[{columns}] AS key,
               'transaction ' || live.xmin::text || CASE current_setting('track_commit_timestamp')
                   WHEN 'on' THEN ' at ' || coalesce(pg_xact_commit_timestamp(live.xmin)::text, 'an unknown time')
                   ELSE '' END AS note
        FROM {name} live JOIN unnest({arrays}) AS wanted({wanted}) ON {same}
        """,
        [[str(key[column]) for key in keys] for column in table.key],
    )
    return {tuple(str(part) for part in row["key"]): str(row["note"]) for row in rows}  # type: ignore[attr-defined]
