"""Leaving the report of a run that has ended, however it ended.

Belongs here: putting facts, document and page together. Does not belong here: any of the three, or their files
(``store``).
"""

from datetime import UTC, datetime
from pathlib import Path

from odyssey_assets.errors import OdysseyError, UnreachableError
from odyssey_assets.report.document import run_document
from odyssey_assets.report.facts import RunFacts, TargetFacts, ask_target
from odyssey_assets.report.page import render_page
from odyssey_assets.report.store import page_path, write_report
from odyssey_assets.sync.outcome import Outcome, Request


def leave_report(
    folder: Path, job: str, run_id: str, started_at: datetime, request: Request | None, verdict: Outcome | OdysseyError
) -> Path:
    """Write document and page; returns the page's path. ``request`` is None where the run did not get that far."""
    facts = RunFacts(
        run_id,
        job,
        started_at,
        finished_at=datetime.now(UTC),
        source=None if request is None else request.sqlite_path,
        target=None if request is None else _target_facts(request, verdict),
    )
    document = run_document(facts, verdict, show_values=request is not None and request.show_values)
    write_report(folder, run_id, document, render_page(document))
    return page_path(folder, run_id)


def _target_facts(request: Request, verdict: Outcome | OdysseyError) -> TargetFacts:
    if isinstance(verdict, UnreachableError):
        # Asking again would only wait as long as the run itself did.
        return TargetFacts(request.target.redacted, request.target.schema)
    return ask_target(request.target)
