"""The engine as a Dagster resource.

Belongs here: turning configuration and environment into the engine's request. Does not belong here: running steps.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

import dagster as dg
from pydantic import Field

from odyssey_assets.backup.drill import drill
from odyssey_assets.backup.manifest import Kind, Manifest
from odyssey_assets.backup.retention import KEPT
from odyssey_assets.backup.run import BackupRequest, back_up, newest_backup, place_for_drills
from odyssey_assets.configuration import Settings, settings_from_environment, sqlite_path_from
from odyssey_assets.cutover import machine
from odyssey_assets.cutover.request import CutoverRequest, url_check
from odyssey_assets.cutover.steps import Cutover, OnStep
from odyssey_assets.errors import ConfigurationError, OdysseyError
from odyssey_assets.preflight.run import PreflightRequest, PreflightVerdict, run_preflight
from odyssey_assets.progress import tell_listener
from odyssey_assets.report.leave import leave_report
from odyssey_assets.report.store import page_path
from odyssey_assets.source.fingerprint import fingerprint
from odyssey_assets.sync.ledger import LedgerEntry, published_tables
from odyssey_assets.sync.observe import SourceTableVersion, observe_source, unchanged_since
from odyssey_assets.sync.outcome import OnTamper, Outcome, Policy, Request
from odyssey_assets.sync.run import run
from odyssey_assets.sync.truth import reason_to_rest
from odyssey_assets.target.location import embedded_data_dir, locate_target


class CutoverOptions(Protocol):
    """What a cut-over is asked for in Dagster; the job's configuration has it."""

    rehearse: bool
    action: Literal["begin", "resume", "abort"]
    release: bool
    fence_seconds: float
    wait_seconds: float
    check_urls: list[str]
    smoke_seconds: float


class OdysseyEngine(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One engine. The PostgreSQL URL holds a password, so it comes from the environment and never from here."""

    sqlite_path: str = Field(
        default="",
        description="The SQLite file, or Prisma's file: URL; empty means ODYSSEY_SQLITE_PATH.",
    )
    ignore_unknown: list[str] = Field(
        default=[],
        description="Tables, or columns as Table.column, that Odyssey's schema does not know and that may stay behind.",
    )
    json_as_jsonb: bool = Field(default=False, description="Create JSON columns as jsonb (Prisma reports it as drift).")
    show_values: bool = Field(default=False, description="Show the values of differing cells, secrets excepted.")
    quarantine: bool = Field(
        default=False,
        description="Carry every good row and hold back the others in odyssey_sync.quarantine, instead of stopping.",
    )
    on_tamper: str = Field(
        default="repair", description="What to do about rows somebody else changed in PostgreSQL: repair or stop."
    )
    accept_new_source: bool = Field(
        default=False, description="Take the SQLite file even if it is not the one that was last published."
    )
    allowed_deletes: dict[str, int] = Field(
        default={}, description="How many deletes the breaker lets through, by table."
    )
    backups_kept: int = Field(default=KEPT, description="How many backups of each side are kept, the newest.")

    def publish_and_verify(
        self, job: str, run_id: str, publish: frozenset[str], verify: frozenset[str], *, applies_changes: bool
    ) -> Outcome:
        """Run the engine and leave the run's report, whatever comes of it. Raises what the engine raises."""
        settings, started_at = settings_from_environment(), datetime.now(UTC)
        request: Request | None = None
        try:
            request = replace(
                self._request(settings),
                publish=publish,
                verify=verify,
                applies_changes=applies_changes,
                run_id=run_id,
            )
            outcome = run(request, tell_listener)
        except OdysseyError as error:
            leave_report(settings.report_dir, job, run_id, started_at, request, error)
            raise
        leave_report(settings.report_dir, job, run_id, started_at, request, outcome)
        return outcome

    def preflight(self) -> PreflightVerdict:
        """Look at source and target and change nothing. Raises what the engine raises."""
        settings = settings_from_environment()
        request = PreflightRequest(
            self._source_path(settings),
            locate_target(settings),
            settings.snapshot_dir,
            ignore_unknown=frozenset(self.ignore_unknown),
            data_dir=embedded_data_dir(settings),
        )
        return run_preflight(request, tell_listener)

    def back_up(self, kind: Kind) -> Manifest:
        """Take a backup of one side. Raises what the engine raises."""
        return back_up(self._backup_request(kind), kind)

    def drill(self, kind: Kind) -> Manifest:
        """Try a restore of the newest backup of one side. Raises what the engine raises."""
        request = self._backup_request(kind)
        return drill(request.folder, newest_backup(request.folder, kind), request.place)

    def report_page(self, run_id: str) -> Path:
        """Where the page of a run's report is, once it has ended."""
        return page_path(settings_from_environment().report_dir, run_id)

    def observe(self, tables: frozenset[str]) -> tuple[SourceTableVersion, ...]:
        """Versions of the content of source tables. Raises what the engine raises."""
        versions = observe_source(self._request(settings_from_environment()))
        return tuple(version for version in versions if version.table in tables)

    def source_fingerprint(self) -> str:
        """A sign of the live file's state; see ``source.fingerprint``."""
        return fingerprint(self._source_path(settings_from_environment()))

    def unchanged(self, tables: frozenset[str]) -> str | None:
        """Why a sync of these tables would change nothing; None where that is not proven."""
        return unchanged_since(replace(self._request(settings_from_environment()), publish=tables))

    def reason_to_rest(self) -> str | None:
        """Why nothing should follow SQLite by itself now; None while something should."""
        return reason_to_rest(locate_target(settings_from_environment()))

    def ledger(self) -> Mapping[str, LedgerEntry]:
        """What was last published, by table."""
        return published_tables(locate_target(settings_from_environment()))

    def cut_over(self, options: CutoverOptions, run_id: str, on_step: OnStep) -> Cutover:
        """Begin, resume or abort a cut-over. Raises what the machine raises."""
        settings = settings_from_environment()
        request = CutoverRequest(
            sqlite_path=self._source_path(settings),
            target=locate_target(settings),
            snapshot_dir=settings.snapshot_dir,
            scratch_dir=settings.scratch_dir,
            backup_dir=settings.backup_dir,
            certificate_dir=settings.certificate_dir,
            is_rehearsal=options.rehearse,
            seals_source=not options.release,
            ignore_unknown=frozenset(self.ignore_unknown),
            fence_seconds=options.fence_seconds,
            wait_seconds=options.wait_seconds,
            url_checks=tuple(map(url_check, options.check_urls)),
            smoke_seconds=options.smoke_seconds,
            run_id=run_id,
        )
        if options.action == "abort":
            return machine.abort(request)
        go = machine.resume if options.action == "resume" else machine.cut_over
        return go(request, on_step, tell_listener)

    def _source_path(self, settings: Settings) -> Path:
        return _named(sqlite_path_from(self.sqlite_path) if self.sqlite_path else settings.sqlite_path)

    def _backup_request(self, kind: Kind) -> BackupRequest:
        settings = settings_from_environment()
        source = self._source_path(settings) if kind is Kind.SQLITE else None
        target = locate_target(settings) if kind is Kind.POSTGRESQL else None
        return BackupRequest(
            settings.backup_dir, place_for_drills(settings, target), source, target, keep=self.backups_kept
        )

    def _request(self, settings: Settings) -> Request:
        return Request(
            sqlite_path=self._source_path(settings),
            target=locate_target(settings),
            snapshot_dir=settings.snapshot_dir,
            scratch_dir=settings.scratch_dir,
            publish=frozenset(),
            verify=frozenset(),
            ignore_unknown=frozenset(self.ignore_unknown),
            json_as_jsonb=self.json_as_jsonb,
            show_values=self.show_values,
            policy=Policy.QUARANTINE if self.quarantine else Policy.STOP,
            allowed_deletes=self.allowed_deletes,
            on_tamper=OnTamper(self.on_tamper),
            accepts_new_source=self.accept_new_source,
        )


def _named(path: Path | None) -> Path:
    if path is None:
        raise ConfigurationError(
            "No SQLite file was named.",
            hint="Set ODYSSEY_SQLITE_PATH, or sqlite_path in the configuration of the resource odyssey.",
        )
    return path
