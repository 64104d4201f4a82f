"""The ``odyssey`` command: options in, one document or one table out, and the exit status.

Belongs here: the commands and nothing else. Does not belong here: what they do (the engine), how runs are started
through Dagster (``launch``), or how results look (``console``).
"""

import functools
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ParamSpec

import click

from odyssey_assets import __version__
from odyssey_assets.configuration import (
    ENV_POSTGRES,
    ENV_SQLITE,
    Settings,
    settings_from_environment,
    sqlite_path_from,
)
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY, OdysseyError

Parameters = ParamSpec("Parameters")


@dataclass(frozen=True)
class RunOptions:
    """What the commands that run the engine were given."""

    sqlite: str | None
    postgres: str | None
    tables: str | None
    as_json: bool
    debug: bool
    ignore_unknown: tuple[str, ...]
    show_values: bool = False
    jsonb: bool = False
    quarantine: bool = False
    allowed_deletes: tuple[str, ...] = ()
    on_tamper: str = "repair"
    accept_new_source: bool = False


def main() -> None:
    """The entry point of the installed command."""
    cli(prog_name="odyssey")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def cli() -> None:
    """Moves Odyssey Feedback from SQLite to PostgreSQL, proven cell by cell."""


def reporting(command: Callable[Parameters, int]) -> Callable[Parameters, None]:
    """End with the command's status; one of our errors becomes its sentence on stderr, unless --debug."""

    @functools.wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            status = command(*args, **kwargs)
        except OdysseyError as error:
            if kwargs.get("debug"):
                raise
            if kwargs.get("as_json"):
                from odyssey_assets.report.document import error_document

                print_json(error_document(error))
            click.echo(f"odyssey: {error}", err=True)
            status = error.exit_status
        except Exception as error:
            if kwargs.get("debug"):
                raise
            click.echo(f"odyssey: unexpected {type(error).__name__}; run again with --debug and report it.", err=True)
            status = EXIT_INTEGRITY
        sys.exit(status)

    return wrapped


def database_options(command: Callable[..., None]) -> Callable[..., None]:
    """--sqlite, --postgres, --tables, --json and --debug."""
    for option in (
        click.option("--debug", is_flag=True, help="Show tracebacks."),
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr."),
        click.option("--tables", metavar="A,B", help="Only these tables."),
        click.option("--postgres", metavar="URL", help=f"The target; else {ENV_POSTGRES}, else the embedded server."),
        click.option("--sqlite", metavar="FILE", help=f"The source; else {ENV_SQLITE}, else a sample is written."),
    ):
        command = option(command)
    return command


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the commands that run the engine."""
    for option in (
        click.option("--show-values", is_flag=True, help="Show the values of differing cells, secrets excepted."),
        click.option(
            "--ignore-unknown",
            multiple=True,
            metavar="NAME",
            help="A table, or a column as Table.column, that may stay behind. Repeatable.",
        ),
    ):
        command = option(command)
    return command


def write_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the commands that change the target."""
    for option in (
        click.option(
            "--quarantine", is_flag=True, help="Carry every good row and hold the others back, instead of stopping."
        ),
        click.option(
            "--accept-new-source", is_flag=True, help="Take the SQLite file even if another one was published last."
        ),
    ):
        command = option(command)
    return command


@cli.command()
@database_options
@run_options
@write_options
@click.option("--jsonb", is_flag=True, help="Create JSON columns as jsonb; Prisma will report it as drift.")
@reporting
def migrate(**options: Any) -> int:
    """Bring every table into an empty PostgreSQL schema and prove every cell equal."""
    return run_job("migrate", RunOptions(**options))


@cli.command()
@database_options
@run_options
@write_options
@click.option(
    "--allow-deletes",
    "allowed_deletes",
    multiple=True,
    metavar="TABLE=N",
    help="Let the delete breaker pass up to N deletes of a table. Repeatable.",
)
@click.option(
    "--on-tamper",
    type=click.Choice(["repair", "stop"]),
    default="repair",
    show_default=True,
    help="Rows that somebody else changed in PostgreSQL: overwrite and report them, or refuse.",
)
@reporting
def sync(**options: Any) -> int:
    """Bring PostgreSQL in step with SQLite: only rows that differ are written, and everything is proven."""
    return run_job("sync", RunOptions(**options))


@cli.command()
@database_options
@run_options
@reporting
def verify(**options: Any) -> int:
    """Run every integrity check and change nothing."""
    return run_job("verify", RunOptions(**options))


@cli.command()
@database_options
@click.option("--ignore-unknown", multiple=True, metavar="NAME", help="As for migrate. Repeatable.")
@reporting
def preflight(**options: Any) -> int:
    """Look at source and target, change nothing, and list everything that stands in the way."""
    from odyssey_assets.console import Console
    from odyssey_assets.launch import selected_tables
    from odyssey_assets.preflight.run import PreflightRequest, run_preflight
    from odyssey_assets.report.document import preflight_document
    from odyssey_assets.target.location import embedded_data_dir, locate_target

    given = RunOptions(**options)
    if given.postgres:
        os.environ[ENV_POSTGRES] = given.postgres
    settings = settings_from_environment()
    tables = selected_tables(given.tables)
    path = sqlite_path_from(given.sqlite) if given.sqlite else settings.sqlite_path or sample_source(settings)
    with Console() as console:
        request = PreflightRequest(
            path,
            locate_target(settings),
            settings.snapshot_dir,
            tables,
            frozenset(given.ignore_unknown),
            embedded_data_dir(settings),
        )
        verdict = run_preflight(request, console.on_progress)
    document = preflight_document(verdict)
    if given.as_json:
        print_json(document)
    console.show_preflight(document)
    return EXIT_DONE if verdict.ok else EXIT_INTEGRITY


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--scale", type=float, default=1.0, show_default=True, help="1 is about 1,750 rows, 1000 about 1.75 M.")
@click.option("--schema", type=click.Choice(["v1", "v2", "v3", "v4", "v5"]), default="v5", show_default=True)
@click.option("--dates", type=click.Choice(["integer", "iso"]), default="integer", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def sample(file: Path, scale: float, schema: str, dates: str, seed: int, as_json: bool, debug: bool) -> int:
    """Write a realistic Odyssey SQLite file, byte formats as Prisma writes them."""
    from odyssey_assets.sample.writer import DateForm, write_sample

    summary = write_sample(file, scale=scale, version=int(schema.removeprefix("v")), dates=DateForm(dates), seed=seed)
    if as_json:
        print_json(
            {
                "path": str(summary.path),
                "rows": summary.total_rows,
                "bytes": summary.bytes,
                "seconds": round(summary.seconds, 3),
                "tables": dict(summary.rows_by_table),
            }
        )
    else:
        click.echo(
            f"{summary.path}: {summary.total_rows:,} rows in {len(summary.rows_by_table)} tables, "
            f"{summary.bytes / 1e6:,.1f} MB, written in {summary.seconds:.1f} s"
        )
    return EXIT_DONE


@cli.command()
@click.option("--scale", "sizes", multiple=True, metavar="ROWS", help="10k, 100k, 1M, 5M. Repeatable.")
@click.option("--repeat", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--contender", "contenders", multiple=True, metavar="NAME", help="Only these. Repeatable.")
@click.option("--postgres", metavar="URL", help="A server to measure against; else the embedded one.")
@click.option("--chart", type=click.Path(path_type=Path, dir_okay=False), help="Write a chart as SVG.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def benchmark(
    sizes: tuple[str, ...],
    repeat: int,
    contenders: tuple[str, ...],
    postgres: str | None,
    chart: Path | None,
    as_json: bool,
    debug: bool,
) -> int:
    """Measure this project against the limit and the peers that are installed."""
    from odyssey_assets.benchmark.command import BenchmarkOptions, run_benchmark

    options = BenchmarkOptions(sizes, repeat, contenders, postgres, chart, as_json)
    report = run_benchmark(settings_from_environment(), options, lambda line: click.echo(line, err=True))
    click.echo(report.text, nl=False)
    return report.exit_status


@cli.command()
@click.option("--scale", type=float, default=0.1, show_default=True, help="1 is about 1,750 rows, 1000 about 1.75 M.")
@click.option("--postgres", metavar="URL", help="A server to make databases on; else the embedded one.")
@click.option("--markdown", "markdown_only", is_flag=True, help="Only the tables, as docs/proof.md has them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def calibrate(scale: float, postgres: str | None, markdown_only: bool, as_json: bool, debug: bool) -> int:
    """Plant one fault after another in databases made for it, and see which checks tell of each."""
    from odyssey_assets.calibration.command import CalibrationOptions, run_calibration

    options = CalibrationOptions(scale, postgres, as_json, markdown_only)
    report = run_calibration(settings_from_environment(), options, lambda line: click.echo(line, err=True))
    click.echo(report.text, nl=False)
    return report.exit_status


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=3000, show_default=True, help="The next free port is taken if it is in use.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def dev(host: str, port: int, debug: bool) -> int:
    """Start the Dagster UI and daemon until interrupted."""
    from odyssey_assets.instance import close_broken_off_runs, open_instance, prepare_instance
    from odyssey_assets.processes import serve_ui

    settings = settings_from_environment()
    if settings.sqlite_path is None:
        settings = replace(settings, sqlite_path=sample_source(settings))
        os.environ[ENV_SQLITE] = str(settings.sqlite_path)
    prepare_instance(settings)
    with open_instance() as instance:
        close_broken_off_runs(settings, instance)
    return serve_ui(settings, host, port)


@cli.command()
@click.argument("action", type=click.Choice(["start", "stop", "status"]))
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def server(action: str, debug: bool) -> int:
    """Start, stop or look at the embedded PostgreSQL."""
    from odyssey_assets.target import embedded

    state_dir = settings_from_environment().state_dir
    if action == "stop":
        click.echo("stopped" if embedded.stop(state_dir) else "was not running")
        return EXIT_DONE
    found = embedded.ensure_running(state_dir) if action == "start" else embedded.status(state_dir)
    click.echo(f"running on 127.0.0.1:{found.port}, data in {found.data_dir}" if found else "not running")
    return EXIT_DONE


@cli.command()
@click.argument("run_id", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many to list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def report(run_id: str | None, limit: int, as_json: bool, debug: bool) -> int:
    """List the newest reports of runs, or print where the one of RUN_ID is; the beginning of an id is enough."""
    from odyssey_assets.report.command import run_report

    return run_report(settings_from_environment().report_dir, run_id, limit, click.echo, as_json=as_json)


@cli.command("alert-test")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def alert_test(debug: bool) -> int:
    """Send one message to every configured alert channel and say which delivered."""
    from odyssey_assets.alerts.command import run_alert_test
    from odyssey_assets.alerts.settings import alert_settings_from_environment

    return run_alert_test(alert_settings_from_environment(), click.echo)


def run_job(job: str, options: RunOptions) -> int:
    """Run one of the definitions' jobs in this process and report; returns the exit status."""
    from odyssey_assets.console import Console
    from odyssey_assets.launch import allowed_deletes, launch, selected_tables

    if options.postgres:
        os.environ[ENV_POSTGRES] = options.postgres
    settings = settings_from_environment()
    tables = selected_tables(options.tables)
    path = sqlite_path_from(options.sqlite) if options.sqlite else settings.sqlite_path or sample_source(settings)
    with Console() as console:
        document = launch(
            settings,
            job,
            tables,
            {
                "sqlite_path": str(path),
                "ignore_unknown": list(options.ignore_unknown),
                "json_as_jsonb": options.jsonb,
                "show_values": options.show_values,
                "quarantine": options.quarantine,
                "allowed_deletes": allowed_deletes(options.allowed_deletes),
                "on_tamper": options.on_tamper,
                "accept_new_source": options.accept_new_source,
            },
            console.on_progress,
        )
    if options.as_json:
        print_json(document)
    console.show(document, job)
    return int(str(document["exit_status"]))


def sample_source(settings: Settings) -> Path:
    """The sample database that stands in where no source was named; written on first use, and said so."""
    from odyssey_assets.sample.writer import write_sample

    path = settings.sample_path
    if path.exists():
        click.echo(f"No SQLite file was named; using the sample at {path}.", err=True)
    else:
        summary = write_sample(path)
        click.echo(
            f"No SQLite file was named; wrote a sample of {summary.total_rows:,} rows to {path}. "
            f"Your own: --sqlite FILE or {ENV_SQLITE}.",
            err=True,
        )
    return path


def print_json(document: object) -> None:
    """One document on stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=1))
