"""Where the reports of runs are kept, two files a run, for whoever asks later.

Belongs here: writing, finding and reading them. Does not belong here: what is in them (``document``, ``page``).
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from odyssey_assets.report.document import Document

REPORTS_KEPT = 500


def write_report(folder: Path, run_id: str, document: "Document", page: str | None = None) -> Path:
    """Keep a document, and its page beside it, under the run's id; a reader sees all of a file or nothing.

    Returns the path of the document. Whoever finds it finds the page as well.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = report_path(folder, run_id)
    if page is not None:
        _write_whole(page_path(folder, run_id), page)
    _write_whole(path, json.dumps(document, ensure_ascii=False, indent=1))
    for old in _newest_first(folder)[REPORTS_KEPT:]:
        old.unlink(missing_ok=True)
        old.with_suffix(".html").unlink(missing_ok=True)
    return path


def read_report(folder: Path, run_id: str) -> "Document | None":
    """The document of a run, or None where it left none."""
    try:
        document: Document = json.loads(report_path(folder, run_id).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return document


def run_ids(folder: Path) -> list[str]:
    """The runs that left a report, newest first."""
    return [path.stem for path in _newest_first(folder)]


def report_path(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}.json"


def page_path(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}.html"


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"), key=lambda each: each.stat().st_mtime_ns, reverse=True)


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.touch(mode=0o600)
    # Half of a surrogate pair, as broken text in SQLite may leave, is no UTF-8; JSON reads the escape back as it was.
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    partial.rename(path)
