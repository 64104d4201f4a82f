"""The command ``odyssey report``.

Belongs here: what it does and prints. Does not belong here: its options (``commands``), or what a report says
(``document``, ``page``).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from odyssey_assets.errors import (
    EXIT_DONE,
    EXIT_INTEGRITY,
    EXIT_REFUSED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    ConfigurationError,
)
from odyssey_assets.report.display import moment, number
from odyssey_assets.report.store import page_path, read_report, report_path, run_ids

_NAMED_WHEN_AMBIGUOUS = 5

_VERDICTS = {
    EXIT_INTEGRITY: "not equal",
    EXIT_USAGE: "not set up",
    EXIT_REFUSED: "refused",
    EXIT_UNREACHABLE: "unreachable",
}


@dataclass(frozen=True)
class Listed:
    """One report. ``rows`` are those of the source that the run was about; ``page`` is None where only JSON is kept."""

    run_id: str
    job: str
    started_at: str | None
    ok: bool
    exit_status: int
    verdict: str
    rows: int
    page: str | None
    document: str


def run_report(folder: Path, run_id: str | None, most: int, tell: Callable[[str], None], *, as_json: bool) -> int:
    """Tell of the newest reports, or of the one of a run; returns the exit status.

    Raises ConfigurationError where ``run_id``, which may be the beginning of one, names no run or several.
    """
    found = listed_reports(folder, most) if run_id is None else [_listed(folder, chosen_run(folder, run_id))]
    if as_json:
        documents = [asdict(each) for each in found]
        tell(json.dumps(documents if run_id is None else documents[0], ensure_ascii=False, indent=1))
    elif run_id is not None:
        tell(found[0].page or found[0].document)
    elif found:
        tell("\n".join(_lines(found)))
    else:
        tell(f"No run has left a report in {folder} yet.")
    return EXIT_DONE


def listed_reports(folder: Path, most: int) -> list[Listed]:
    """The newest reports, newest first."""
    return [_listed(folder, run_id) for run_id in run_ids(folder)[:most]]


def chosen_run(folder: Path, prefix: str) -> str:
    """The one run whose id begins so. Raises ConfigurationError where there is none, or more than one."""
    found = [run_id for run_id in run_ids(folder) if run_id.startswith(prefix)]
    if len(found) == 1 or prefix in found:
        return prefix if prefix in found else found[0]
    if not found:
        raise ConfigurationError(f"No report of a run {prefix} is kept.", hint="odyssey report lists those there are.")
    named = ", ".join(found[:_NAMED_WHEN_AMBIGUOUS])
    raise ConfigurationError(f"{len(found)} runs begin with {prefix}: {named}.", hint="Give more of the run's id.")


def _listed(folder: Path, run_id: str) -> Listed:
    document: Mapping[str, Any] = read_report(folder, run_id) or {}
    page = page_path(folder, run_id)
    ok, status = bool(document.get("ok")), int(document.get("exit_status", EXIT_INTEGRITY))
    return Listed(
        run_id,
        str(document.get("job", "")),
        document.get("started_at"),
        ok,
        status,
        "equal" if ok else _VERDICTS.get(status, "failed"),
        sum(table["source_rows"] for table in document.get("tables", ())),
        str(page) if page.exists() else None,
        str(report_path(folder, run_id)),
    )


def _lines(found: list[Listed]) -> list[str]:
    rows = [("WHEN", "JOB", "VERDICT", "ROWS", "RUN", "PAGE")]
    rows += [
        (moment(each.started_at), each.job, each.verdict, number(each.rows), each.run_id, each.page or each.document)
        for each in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column == _ROWS_COLUMN else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


_ROWS_COLUMN = 3
