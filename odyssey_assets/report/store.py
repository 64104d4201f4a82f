"""Where the documents of runs are kept, one file a run, for whoever asks later.

Belongs here: writing and reading them. Does not belong here: what is in them (``document``).
"""

import json
import os
from pathlib import Path

from odyssey_assets.report.document import Document

REPORTS_KEPT = 500


def write_report(folder: Path, run_id: str, document: Document) -> Path:
    """Keep a document under its run's id; a reader sees all of it or nothing."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = report_path(folder, run_id)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    partial.rename(path)
    for old in sorted(folder.glob("*.json"), key=lambda each: each.stat().st_mtime)[:-REPORTS_KEPT]:
        old.unlink(missing_ok=True)
    return path


def read_report(folder: Path, run_id: str) -> Document | None:
    """The document of a run, or None where it left none."""
    try:
        document: Document = json.loads(report_path(folder, run_id).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return document


def report_path(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}.json"
