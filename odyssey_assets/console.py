"""How a run looks in a terminal: progress while it works, a table at the end.

Belongs here: rendering with rich. Does not belong here: what a run is (``sync``), or what is in its document
(``report``).
"""

import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from odyssey_assets.progress import Phase
from odyssey_assets.progress import Progress as Step
from odyssey_assets.report.document import Document

_WORDS = {
    Phase.SNAPSHOT: "taking a snapshot",
    Phase.SURVEY: "surveying the snapshot",
    Phase.PREFLIGHT: "looking for what cannot be carried",
    Phase.SCHEMA: "looking at the target's schema",
    Phase.COMPARE: "comparing",
    Phase.LOAD: "loading",
    Phase.APPLY: "applying differences",
    Phase.INDEX: "building keys and indexes of",
    Phase.PROOF: "proving",
    Phase.RECORD: "writing the ledger",
    Phase.COMMIT: "committing",
}


class Console:
    """Everything for a person goes to stderr, so that stdout stays free for the document."""

    def __init__(self) -> None:
        width = None if sys.stderr.isatty() else _PLAIN_WIDTH
        self._console = RichConsole(file=sys.stderr, highlight=False, width=width)
        self._bar: Progress | None = None
        self._task: Any = None
        self._began = time.monotonic()
        self._rows = 0
        self._told: tuple[Phase, str] | None = None

    def __enter__(self) -> "Console":
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None, rate="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def on_progress(self, step: Step) -> None:
        """Show one step: a moving bar on a terminal, one plain line a phase elsewhere."""
        if self._bar is not None:
            self._show_bar(step)
        elif not step.table and (step.phase, "") != self._told:
            self._told = (step.phase, "")
            self._console.print(f"{time.monotonic() - self._began:6.1f} s  {_WORDS[step.phase]}")
        elif step.total_rows >= _ROWS_WORTH_A_LINE:
            self._console.print(
                f"{time.monotonic() - self._began:6.1f} s  {_WORDS[step.phase]} {step.table} ({step.total_rows:,} rows)"
            )

    def _show_bar(self, step: Step) -> None:
        assert self._bar is not None
        if step.rows:
            self._rows += step.rows
            rate = self._rows / max(time.monotonic() - self._began, 0.001)
            self._bar.update(self._task, advance=step.rows, rate=f"{rate:,.0f} rows/s")
            return
        self._began, self._rows = time.monotonic(), 0
        words = f"{_WORDS[step.phase]} {step.table}".strip()
        self._bar.reset(self._task, description=words, total=step.total_rows or None, rate="")

    def show(self, document: Document, job: str) -> None:
        """The report of a run: a table, the verdict, and where to see more."""
        tables: Any = document["tables"]
        if tables:
            self._console.print(_result_table(tables))
        for line, severity in _failed_checks(tables):
            self._console.print(f"[{_STYLES[severity]}]{escape(line)}[/]", soft_wrap=True)
        seconds: Any = document.get("seconds", {})
        rows = sum(table["source_rows"] for table in tables)
        if document["ok"]:
            verb = {"migrate": "carried and proven", "sync": "in step", "verify": "verified"}.get(job, "done")
            self._console.print(
                f"[bold green]{rows:,} rows {verb}[/], every cell equal, in {sum(seconds.values()):.1f} s "
                f"({', '.join(f'{phase} {spent:.1f}' for phase, spent in seconds.items())}).",
                soft_wrap=True,
            )
        else:
            problem, hint = escape(str(document["problem"])), escape(str(document["hint"]))
            self._console.print(f"[bold red]{problem}[/] {hint}", soft_wrap=True)
        behind = {table["name"]: table["rows_behind"] for table in tables if table.get("rows_behind")}
        if behind:
            self._console.print(
                f"SQLite has moved on since the publication: {sum(behind.values()):,} rows in {', '.join(behind)}.",
                soft_wrap=True,
            )
        left = {table["name"]: table["target_rows"] for table in tables if _is_left_alone(table)}
        if left:
            self._console.print(
                f"[yellow]SQLite has no table {', '.join(left)}; PostgreSQL holds {sum(left.values()):,} rows there, "
                "which were left alone.[/]",
                soft_wrap=True,
            )
        snapshot: Any = document.get("snapshot")
        if snapshot:
            self._console.print(f"Snapshot {snapshot['id']}, schema {document['source_version']}.")
        self._console.print(
            f"Run {document['run_id']}: {document['ui'] or 'start the UI with ./scripts/dev'}", soft_wrap=True
        )

    def show_preflight(self, document: Document) -> None:
        """Every finding, worst first, and the verdict."""
        source: Any = document["source"]
        target: Any = document["target"]
        findings: Any = document["findings"]
        self._console.print(
            f"Source: schema {source['schema_version']}, {source['tables']} tables, {source['rows']:,} rows, snapshot "
            f"{source['snapshot']['id']}.\nTarget: {escape(target['url'])}, PostgreSQL {target['server_version']}, "
            f"{len(target['tables'])} of Odyssey's tables"
            f"{', to be created by the first run' if target['will_create_tables'] else ''}.",
            soft_wrap=True,
        )
        for severity, style in _STYLES.items():
            for finding in findings:
                if finding["severity"] == severity:
                    self._console.print(f"[{style}]{severity}[/] {escape(_finding_line(finding))}", soft_wrap=True)
        errors = sum(finding["count"] for finding in findings if finding["severity"] == "error")
        warnings = sum(1 for finding in findings if finding["severity"] == "warning")
        if document["ok"]:
            self._console.print(f"[bold green]Nothing stands in the way[/] ({warnings} warnings).")
        else:
            self._console.print(f"[bold red]{errors:,} objections stand in the way[/] ({warnings} warnings).")


def _finding_line(finding: dict[str, Any]) -> str:
    place = ".".join(part for part in (finding["table"], finding["column"]) if part)
    key = finding["key"]
    row = f" [{', '.join(f'{name}={value}' for name, value in key.items())}]" if key else ""
    return f"{finding['kind']}: {place}{row} {finding['detail']}".replace(":  ", ": ")


_ROWS_WORTH_A_LINE = 100_000
"""Without a terminal only tables that take a while are told one by one."""

_PLAIN_WIDTH = 200
"""Characters a line may have in a file or a pipe, where nothing wraps and nothing should be cut off."""


def _result_table(tables: list[dict[str, Any]]) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("table", "status", "source", "target", "inserted", "checks"):
        shown.add_column(heading, justify="left" if heading in ("table", "status", "checks") else "right", no_wrap=True)
    for table in tables:
        if table["status"] == "absent":
            shown.add_row(
                table["name"], "[dim]absent[/]", "", f"{table['target_rows']:,}" if table["target_rows"] else "", "", ""
            )
            continue
        shown.add_row(
            table["name"],
            table["status"],
            f"{table['source_rows']:,}",
            f"{table['target_rows']:,}",
            f"{table['inserted']:,}",
            _verdict(table["checks"]),
        )
    return shown


def _is_left_alone(table: dict[str, Any]) -> bool:
    return bool(table["status"] == "absent" and table["target_rows"])


def _verdict(checks: list[dict[str, Any]]) -> str:
    failed = sum(not check["passed"] for check in checks)
    if failed:
        return f"[red]{failed} failed[/]"
    return f"[green]{len(checks)} passed[/]" if checks else ""


def _failed_checks(tables: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """One line and its severity for each check that failed; the same words about many tables are told once."""
    by_words: dict[tuple[str, str, str], list[str]] = {}
    for table in tables:
        for check in table["checks"]:
            if not check["passed"]:
                by_words.setdefault((check["name"], check["detail"], check["severity"]), []).append(table["name"])
    return [
        (f"{names[0] if len(names) == 1 else f'{len(names)} tables'} {check}: {detail}", severity)
        for (check, detail, severity), names in by_words.items()
    ]


_STYLES = {"error": "red", "warning": "yellow"}
