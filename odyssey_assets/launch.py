"""Running one of the jobs through Dagster from the command line, so that it shows in the UI like any other run.

Belongs here: selection, run configuration, execution, and fetching the run's report. Does not belong here: options
(``commands``) or what is shown (``console``).
"""

import uuid
from collections.abc import Iterable, Mapping

from odyssey_assets.configuration import Settings
from odyssey_assets.definitions import build_definitions
from odyssey_assets.errors import ConfigurationError, OdysseyError
from odyssey_assets.instance import (
    COMMAND_TAG,
    close_broken_off_runs,
    marked_as_running,
    open_instance,
    prepare_instance,
)
from odyssey_assets.interruption import interruption
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.processes import running_ui
from odyssey_assets.progress import OnProgress, listening
from odyssey_assets.report.document import Document
from odyssey_assets.report.store import read_report


def selected_tables(text: str | None) -> frozenset[str] | None:
    """``A,B`` as table names; None for all. Raises ConfigurationError for a name the model does not know."""
    if text is None:
        return None
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    known = {table.name for table in tables_in_order()}
    unknown = sorted(names - known)
    if unknown or not names:
        raise ConfigurationError(
            f"There is no Odyssey table named {', '.join(unknown)}." if unknown else "--tables names no table.",
            hint=f"The tables are {', '.join(sorted(known))}.",
        )
    return names


def allowed_deletes(texts: Iterable[str]) -> dict[str, int]:
    """``TABLE=N`` texts as a mapping. Raises ConfigurationError for anything else."""
    allowed: dict[str, int] = {}
    for text in texts:
        table, _, number = text.partition("=")
        if not number.isdigit():
            raise ConfigurationError(f"--allow-deletes takes TABLE=N, not {text!r}.", hint="For example Vote=250.")
        selected_tables(table)
        allowed[table.strip()] = int(number)
    return allowed


def launch(
    settings: Settings,
    job: str,
    tables: frozenset[str] | None,
    engine_config: Mapping[str, object],
    on_progress: OnProgress,
) -> Document:
    """Execute a job in this process against the instance, and return the document its run left, with ``run_id``."""
    prepare_instance(settings)
    definitions = build_definitions(tables=tables)
    run_config = {
        "resources": {"odyssey": {"config": dict(engine_config)}},
        # The command line tells progress itself; errors reach it through the report.
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    run_id = str(uuid.uuid4())
    with interruption() as received, open_instance() as instance, marked_as_running(settings, run_id):
        close_broken_off_runs(settings, instance)
        with listening(received.listening(on_progress)):
            result = received.run(
                lambda: definitions.resolve_job_def(job).execute_in_process(
                    run_config=run_config,
                    instance=instance,
                    raise_on_error=False,
                    tags=COMMAND_TAG,
                    run_id=run_id,
                )
            )
    document = read_report(settings.report_dir, result.run_id)
    if document is None:
        received.check()
        raise OdysseyError(
            "The run ended without a report.", hint=f"See run {result.run_id} in the Dagster UI for the reason."
        )
    ui = running_ui(settings)
    return {
        **document,
        "run_id": result.run_id,
        "ui": f"{ui}/runs/{result.run_id}" if ui else None,
    }
